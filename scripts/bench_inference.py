"""Inference against what people use today, on the same films and the same weights.

    python scripts/bench_inference.py --model hip-sim-1 --device cpu --growth --json bench.json

Every method runs in a process of its own; rounds visit all methods in turn, so that a machine
that slows down slows all of them. The table gives medians over rounds, their spread, and the
ratio to hoseg. Methods whose packages are missing are left out, and named.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from statistics import median

METHODS = Path(__file__).with_name("bench_methods.py")
BOUNDS = {
    "cores": "all cores busy with them without a gap",
    "decode": "all cores do nothing but decode",
    "card": "the card does nothing but the network",
}
NEEDS = {
    "hoseg": (),
    "plain loop, cv2": ("torch",),
    "plain loop, skimage": ("torch", "skimage"),
    "MONAI sliding window": ("torch", "monai"),
    "nnU-Net v2": ("torch", "nnunetv2"),
}


def run(method: str, folders: list[Path], args: argparse.Namespace) -> dict | None:
    """One method on folders of films, in a fresh process: folder -> what it measured."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, str(METHODS), method, "--films", *map(str, folders)]
        command += ["--out", out, "--model", args.model, "--device", args.device]
        command += ["--seconds", str(args.seconds)]
        for name in ("runtime", "precision"):
            if getattr(args, name) and method in ("hoseg", "growth"):
                command += [f"--{name}", getattr(args, name)]
        command += ["--full-decode"] if args.full_decode else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no message"]
        print(f"  {method}: failed: {reason[0]}", file=sys.stderr)
        return None
    found = json.loads(done.stdout.strip().splitlines()[-1])
    memory = {"peak_memory_mb": found["peak_memory_mb"]}
    return {name: memory | row for name, row in found["folders"].items()}


def measure(args: argparse.Namespace, work: Path) -> dict[str, dict[str, list[dict]]]:
    """encoding -> method -> one result a round."""
    from hoseg.cli.bench import write_films

    results: dict[str, dict[str, list[dict]]] = {}
    methods = [m for m in args.methods if all(find_spec(p) for p in NEEDS[m])]
    for missing in set(args.methods) - set(methods):
        print(f"  {missing}: left out, install {NEEDS[missing]}", file=sys.stderr)
    folders = [work / encoding for encoding in args.encodings]
    for folder in folders:
        folder.mkdir()
        write_films(folder, args.films, folder.name)
    for number in range(args.rounds):
        for method in methods:
            for encoding, row in (run(method, folders, args) or {}).items():
                results.setdefault(encoding, {}).setdefault(method, []).append(row)
                speed = row["end_to_end"]
                print(f"  round {number + 1} {encoding} {method}: {speed:.3f} films/s", flush=True)
    return results


def growth(args: argparse.Namespace, work: Path) -> list[dict]:
    """hoseg on 1, 10 and 100 times as many files, smallest first: seconds and memory of each."""
    from hoseg.cli.bench import write_films

    folders = [work / f"growth-{factor}" for factor in (1, 10, 100)]
    for folder in folders:
        folder.mkdir()
    first = write_films(folders[0], 4, "jpeg_lossless")
    for factor, folder in zip((10, 100), folders[1:], strict=True):
        for index in range(4 * factor):
            (folder / f"film-{index:04d}.dcm").symlink_to(first[index % 4])
    rows = []
    for name, found in (run("growth", folders, args) or {}).items():
        films = len(list((work / name).glob("*.dcm")))
        row = {"films": films, "s_a_film": 1 / found["films_s"]}
        rows.append(row | {"peak_memory_mb": found["peak_memory_mb"]})
        print(f"  {rows[-1]}", flush=True)
    return rows


def table(results: dict[str, dict[str, list[dict]]]) -> str:
    """Markdown table of medians over rounds."""
    lines = []
    for encoding, methods in results.items():
        ours = median(r["end_to_end"] for r in methods["hoseg"]) if "hoseg" in methods else None
        lines += [
            f"\n**{encoding}**\n",
            "| | films/s, file to masks | spread | hoseg is | network alone, films/s | peak MB |",
            "|---|---|---|---|---|---|",
        ]
        for method, rounds in methods.items():
            speeds = [r["end_to_end"] for r in rounds]
            middle = median(speeds)
            ratio = f"{ours / middle:.1f} x" if ours and method != "hoseg" else ""
            alone = median(r["network"] for r in rounds)
            memory = max(r["peak_memory_mb"] for r in rounds)
            lines.append(
                f"| {method} | {middle:.2f} | {min(speeds):.2f} to {max(speeds):.2f} | {ratio} "
                f"| {alone:.2f} | {memory:.0f} |"
            )
        if "hoseg" in methods:
            last = methods["hoseg"][-1]
            stages = ", ".join(f"{name} {ms:.0f}" for name, ms in last["stages_ms"].items())
            share = median(r["share_of_bound"] for r in methods["hoseg"])
            choice = last["choice"]
            lines += [
                "",
                f"Stages of hoseg, ms a film on one core: {stages}. Share of the bound "
                f"({BOUNDS[last['bound_by']]}): {100 * share:.0f} %. Runtime: "
                f"{choice['runtime']} on {choice['device']} in {choice['precision']}."
                + (" Decoded at half resolution." if last["half_resolution"] else ""),
            ]
    return "\n".join(lines)


def machine(device: str) -> dict:
    """What this was measured on."""
    from hoseg.infer.options import usable_cores
    from hoseg.infer.parity import processor_name

    facts = {"processor": processor_name(), "usable_cores": usable_cores()}
    facts |= {"python": platform.python_version(), "load_before": os.getloadavg()[0]}
    if device.startswith("cuda"):
        import torch

        facts |= {"card": torch.cuda.get_device_name(device), "torch": torch.__version__}
    return facts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=f"{__doc__.splitlines()[0]} With the defaults and --growth it takes about ten "
        "minutes on two cores that have nothing else to do."
    )
    parser.add_argument("--model", required=True, help="name or folder of a model")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runtime", help="of hoseg; default: the fastest that passes its gate")
    parser.add_argument("--precision", help="of hoseg")
    parser.add_argument(
        "--full-decode",
        action="store_true",
        help="hoseg decodes JPEG 2000 in full, as for pictures",
    )
    parser.add_argument("--films", type=int, default=8, help="files of each encoding")
    parser.add_argument("--rounds", type=int, default=3, help="visits to every method")
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="films of one encoding in a visit to a baseline"
    )
    parser.add_argument("--methods", nargs="+", choices=list(NEEDS), default=list(NEEDS))
    parser.add_argument(
        "--encodings", nargs="+", default=["jpeg_lossless", "jpeg_ls", "jpeg_2000", "explicit"]
    )
    parser.add_argument("--growth", action="store_true", help="also 1, 10 and 100 times the films")
    parser.add_argument("--roofline", action="store_true", help="also the network's, on a GPU")
    parser.add_argument("--json", type=Path, help="write everything that was measured")
    args = parser.parse_args()
    report: dict = {"machine": machine(args.device), "arguments": vars(args) | {"json": None}}
    print(json.dumps(report["machine"]))
    with tempfile.TemporaryDirectory() as name:
        report["results"] = measure(args, Path(name))
        if args.growth:
            report["growth"] = growth(args, Path(name))
    if args.roofline:
        from bench_roofline import roofline

        report["roofline"] = roofline(args.model, args.device)
        print(json.dumps(report["roofline"], indent=2))
    print(table(report["results"]))
    for row in report.get("growth", ()):
        print("{films} films: {s_a_film:.4f} s a film, {peak_memory_mb:.0f} MB".format(**row))
    if args.json:
        args.json.write_text(json.dumps(report, indent=2, default=str) + "\n")


if __name__ == "__main__":
    main()
