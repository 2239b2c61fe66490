"""``hoseg deidentify``: copy DICOM files without what identifies the patient."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


class PixelPolicy(StrEnum):
    """What to do about text that is burned into the pixels."""

    MASK = "mask"
    REFUSE = "refuse"
    KEEP = "keep"


@app.command()
def deidentify(
    inputs: Annotated[
        list[Path], typer.Argument(help="DICOM files, folders, zip files, DICOMDIR.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the copies and manifest.json.")],
    keep_characteristics: Annotated[
        bool, typer.Option(help="Keep age (over 89 becomes 90), sex, size and weight.")
    ] = False,
    shift_dates: Annotated[
        bool, typer.Option(help="Shift dates by a secret number of days a patient; else remove.")
    ] = False,
    pixels: Annotated[
        PixelPolicy, typer.Option(help="Burned-in text: paint out, refuse the image, do not look.")
    ] = PixelPolicy.MASK,
    key_file: Annotated[
        Path | None,
        typer.Option(help="Secret of 16 bytes or more; else HOSEG_DEIDENTIFY_KEY, else random."),
    ] = None,
    link: Annotated[
        Path | None,
        typer.Option(help="Also write which input became which output (it identifies: guard it)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Copy DICOM images by the basic profile of PS3.15 Annex E.

    Names, identifiers, dates, private attributes, overlays and burned-in text go, and the border
    outside the exposed field becomes flat (a side marker in it too). UIDs are replaced by a keyed
    hash, so that studies stay together. The same key gives the same names. Look at
    the copies before you share them: no program finds every handwritten word.
    """
    from hoseg.cli.console import plain_console, progress
    from hoseg.deidentify.attributes import Policy
    from hoseg.deidentify.instances import deidentify_files
    from hoseg.deidentify.pseudonyms import Pseudonyms, load_key
    from hoseg.dicom.discover import discover

    _check_paths(inputs, out, link)
    key, origin = load_key(key_file)
    policy = Policy(keep_characteristics, shift_dates, pixels.value)
    sources = list(discover(inputs, out=out))
    with progress("de-identifying", len(sources), quiet=as_json) as bar:
        outcome = deidentify_files(sources, out, policy, Pseudonyms(key), bar.advance)
    if link is not None:
        _write_links(link, outcome.links)
    written = len(outcome.links)
    if as_json:
        typer.echo(_as_json(written, outcome.refused))
    else:
        console = plain_console(stderr=True)
        console.print(f"{written} copied to {out}, {len(outcome.refused)} refused.")
        for name, code, sentence in outcome.refused:
            console.print(f"  {name} ({code}): {sentence}")
        if origin == "random":
            console.print("A new random key was used: later runs will give other pseudonyms.")
    raise typer.Exit(1 if outcome.refused or not written else 0)


def _check_paths(inputs: list[Path], out: Path, link: Path | None) -> None:
    from hoseg.errors import SettingError

    target = out.resolve()
    for path in inputs:
        if path.resolve() == target:
            raise SettingError("--out", str(out), "a folder that is not an input")
    if link is not None and link.resolve().is_relative_to(target):
        raise SettingError("--link", str(link), "a file outside --out: it identifies patients")


def _write_links(path: Path, links: list[tuple[str, str]]) -> None:
    import csv

    from hoseg.errors import OutputError

    try:
        with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("source", "output"))
            writer.writerows(links)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error


def _as_json(written: int, refused: list[tuple[str, str, str]]) -> str:
    import json

    return json.dumps(
        {
            "written": written,
            "refused": [
                {"source": name, "reason": code, "sentence": text} for name, code, text in refused
            ],
        }
    )
