"""``hoseg deidentify``: copy DICOM files without what identifies the patient."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hoseg.deidentify.instances import Outcome

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
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the outcome as JSON: numbers, no names.")
    ] = False,
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
    from hoseg.deidentify.links import check_link_file, write_links
    from hoseg.deidentify.pseudonyms import Pseudonyms, load_key
    from hoseg.dicom.discover import discover
    from hoseg.errors import SettingError

    if any(path.resolve() == out.resolve() for path in inputs):
        raise SettingError("--out", str(out), "a folder that is not an input")
    if link is not None:
        check_link_file(link, out)
    key, origin = load_key(key_file)
    policy = Policy(keep_characteristics, shift_dates, pixels.value)
    sources = list(discover(inputs, out=out))
    with progress("de-identifying", len(sources), quiet=as_json) as bar:
        outcome = deidentify_files(sources, out, policy, Pseudonyms(key), bar.advance)
    if link is not None:
        write_links(link, outcome)
    written, duplicates = outcome.count("written"), outcome.count("duplicate")
    if as_json:
        typer.echo(_as_json(outcome))
    else:
        console = plain_console(stderr=True)
        twice = f", {duplicates} the same film twice" if duplicates else ""
        console.print(f"{written} copied to {out}{twice}, {len(outcome.refused)} refused.")
        for line in refusal_lines(outcome):
            console.print(f"  {line}")
        if outcome.refused and link is None and not sys.stderr.isatty():
            console.print("  --link FILE would say which input is which.")
        if origin == "random":
            console.print("A new random key was used: later runs will give other pseudonyms.")
    raise typer.Exit(1 if outcome.refused or not written else 0)


def refusal_lines(outcome: Outcome) -> list[str]:
    """What to say of inputs that were not copied: names of files on a terminal only.

    Where the output goes to a file, it is a log, and the names in paths are patients' too often.
    """
    from hoseg.deidentify.refusals import meaning_of

    if sys.stderr.isatty():
        return [f"{r.source} ({r.code}): {r.sentence}" for r in outcome.refused]
    return [f"input {r.number} ({r.code}): {meaning_of(r.code)}" for r in outcome.refused]


def _as_json(outcome: Outcome) -> str:
    import json

    from hoseg.deidentify.refusals import meaning_of

    refused = [
        {"number": r.number, "reason": r.code, "sentence": meaning_of(r.code)}
        for r in outcome.refused
    ]
    counts = {"written": outcome.count("written"), "duplicates": outcome.count("duplicate")}
    return json.dumps({**counts, "refused": refused})
