"""``hoseg doctor``: what this installation can and cannot do."""

from __future__ import annotations

from typing import Annotated, Any

import typer

app = typer.Typer(add_completion=False)

PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "pydicom",
    "imagecodecs",
    "highdicom",
    "onnxruntime",
)
"""Of the base install; those of the extras are in ``hoseg.extras``."""

# command: (option, "" when it does nothing without, and the extra that it needs). All others need
# the base install alone.
NEEDS: dict[str, tuple[tuple[str, str], ...]] = {
    "run": (("--device cuda", "gpu"), ("--parquet", "parquet")),
    "export": (("--runtime", "export"),),
    "train": (("", "train"),),
    "evaluate": (("--device cuda", "gpu"),),
    "accept": (("--device cuda", "gpu"),),
    "bench": (("--device cuda", "gpu"),),
}
_SEGMENTING = ("run", "evaluate", "accept", "bench")


@app.command()
def doctor(
    device: Annotated[str, typer.Option(help="cuda or cuda:N, to ask about one card.")] = "cuda",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Say what this installation can and cannot do, and what to install.

    Exit status 3 when films cannot be segmented at all: no model, or no runtime.
    """
    import json

    findings = examine(device)
    if as_json:
        typer.echo(json.dumps(findings))
    else:
        _show(findings)
    raise typer.Exit(0 if findings["ready"] else 3)


def examine(device: str) -> dict[str, Any]:
    """Versions, what commands lack, runtimes, models, folders; nothing is downloaded or changed."""
    import platform

    import hoseg
    from hoseg.cli.app import COMMANDS
    from hoseg.infer.derived import ONNX, cache_root
    from hoseg.infer.options import usable_cores
    from hoseg.infer.parity import processor_name
    from hoseg.infer.runtimes import RUNTIMES
    from hoseg.segment.weights import list_models

    runtimes = [
        {"runtime": row.label, "problem": row.why_not(device if row.device == "cuda" else "cpu")}
        for row in RUNTIMES
    ]
    models = [
        {
            "model": entry.card.label if entry.card else entry.name,
            "folder": str(entry.path),
            "problem": entry.problem or "",
            "needs_torch": not (entry.path / ONNX).is_file(),
        }
        for entry in list_models()
    ]
    unusable = []
    if not any(not model["problem"] for model in models):
        unusable.append(_lack("", ["a model"], "set HOSEG_MODELS to a folder of model folders"))
    if not any(not row["problem"] for row in runtimes):
        unusable.append(_lack("", ["a runtime"], "pip install onnxruntime"))
    on_cards = [row["problem"] for row in runtimes if "/cuda/" in row["runtime"]]
    card = on_cards[0] if all(on_cards) else ""
    return {
        "ready": not unusable,
        "hoseg": hoseg.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": processor_name(),
        "usable_cores": usable_cores(),
        "packages": {name: _version(name) for name in _distributions()},
        "commands": {name: _lacks(name, unusable, card) for name in COMMANDS},
        "runtimes": runtimes,
        "models": models,
        "cache": str(cache_root()),
        "cache_problem": _write_problem(cache_root()),
    }


def _lack(option: str, missing: list[str], remedy: str) -> dict[str, Any]:
    return {"option": option, "missing": missing, "remedy": remedy}


def _lacks(command: str, unusable: list[dict[str, Any]], card: str) -> list[dict[str, Any]]:
    """What a command lacks, for which of its options ("": for all it does), and what to do.

    unusable: why nothing can be segmented here
    card: why no graphics card can be used, or ""
    """
    from hoseg.extras import command as pip_install
    from hoseg.extras import missing

    absent = [name for name in PACKAGES if _version(name) is None]
    base = [_lack("", absent, "pip install hoseg")] if absent else []
    extras = [
        _lack(option, list(missing(extra)), pip_install(extra))
        for option, extra in NEEDS.get(command, ())
        if missing(extra)
    ]
    if card and not extras and ("--device cuda", "gpu") in NEEDS.get(command, ()):
        extras.append(_lack("--device cuda", ["a card"], card))
    return [*base, *(unusable if command in _SEGMENTING else []), *extras]


def _distributions() -> list[str]:
    """Names of distributions: those of the base install, then what the extras bring."""
    from importlib.metadata import packages_distributions

    from hoseg.extras import EXTRAS

    known = packages_distributions()
    names = [name for extra in EXTRAS.values() for name in extra.packages]
    return list(dict.fromkeys([*PACKAGES, *(known.get(name, [name])[0] for name in names)]))


def _version(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _write_problem(folder: Any) -> str:
    """Why nothing can be written to the cache, or ""."""
    from tempfile import TemporaryFile

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return f"{error.strerror}; set HOSEG_CACHE to a folder that can be written"


def _show(findings: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from hoseg.cli.console import plain_console
    from hoseg.words import RESEARCH_USE

    console = plain_console()
    console.print(
        f"hoseg {findings['hoseg']}, Python {findings['python']}, {findings['system']}\n"
        f"{findings['processor']}, {findings['usable_cores']} usable cores"
    )
    packages = Table("package", "version")
    for name, version in findings["packages"].items():
        packages.add_row(name, version or Text("not installed", "yellow"))
    console.print(packages, soft_wrap=False)
    console.print("Commands:")
    for name, lacks in findings["commands"].items():
        sentences = [
            f"{lack['option']} lacks {', '.join(lack['missing'])}: {lack['remedy']}".strip()
            for lack in lacks
        ]
        _line(console, name, "; ".join(sentences), "lacks nothing")
    console.print("Runtimes (each is judged against float32 torch before its first use):")
    for row in findings["runtimes"]:
        _line(console, row["runtime"], row["problem"], "can be used")
    console.print("Models:")
    if not findings["models"]:
        console.print("  none found; set HOSEG_MODELS to a folder that holds model folders")
    for model in findings["models"]:
        torch = "; torch is needed on first use" if model["needs_torch"] else ""
        _line(console, model["model"], model["problem"], f"verified{torch}")
    _line(console, f"Cache {findings['cache']}", findings["cache_problem"], "can be written")
    verdict = "Ready." if findings["ready"] else "Films cannot be segmented here yet."
    console.print(f"{verdict} {RESEARCH_USE}")


def _line(console: Any, name: str, problem: str, good: str) -> None:
    style = "yellow" if problem else "green"
    console.print(f"  {name}: {problem or good}", style=style)
