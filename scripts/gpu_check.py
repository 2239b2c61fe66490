"""Twelve checks of hoseg on a graphics card, in order, in at most eight minutes.

Started by ``gpu_check.sh``. Writes ``gpu_check.json`` and ``gpu_check.md``, a table for
``models/BENCHMARKS.md``; what there was no time or no package for is "not measured".
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

BUDGET_S = 480.0
WITHIN = 0.1
"""Share by which films of varied windows may be slower than films of one."""


@dataclass(frozen=True)
class Check:
    """What came of one check.

    outcome: "passed", "failed" or "not measured"
    found: the figures, or the last lines of what was said
    """

    number: int
    name: str
    outcome: str
    seconds: float
    found: object


class Checks:
    """Runs checks within the budget, each in a process of its own that ends at its limit."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.patience = 2.0 if args.quick else 1.0  # of a CPU that has other work
        self.end = time.monotonic() + self.patience * BUDGET_S
        self.done: list[Check] = []

    def command(self, name: str, limit_s: float, command: list[str], passes=None, **environment):
        """Run a command; ``passes`` makes (passed, figures) of status and output."""
        limit_s = min(self.patience * limit_s, self.end - time.monotonic())
        start = time.monotonic()
        if limit_s < 5:
            return self._add(name, "not measured", start, "no time left")
        try:
            run = subprocess.run(
                command, capture_output=True, text=True, timeout=limit_s,
                env=os.environ | environment,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return self._add(name, "failed", start, f"took longer than {limit_s:.0f} s")
        except FileNotFoundError as error:
            return self._add(name, "not measured", start, str(error))
        passed, found = (passes or _ended_well)(run)
        return self._add(name, "passed" if passed else "failed", start, found)

    def inside(self, name: str, limit_s: float, check: str, *extra: str, passes=None):
        """Run one of the functions below in a process of its own."""
        command = [sys.executable, __file__, "--inside", check, "--device", self.args.device]
        command += ["--model", self.args.model, "--films", *extra]
        return self.command(name, limit_s, command, passes or _figures)

    def _add(self, name: str, outcome: str, start: float, found: object) -> Check:
        seconds = time.monotonic() - start
        check = Check(len(self.done) + 1, name, outcome, round(seconds, 1), found)
        self.done.append(check)
        text = found if isinstance(found, str) else json.dumps(found)
        print(f"{check.number:2} {outcome:12} {name} ({seconds:.0f} s)\n   {text}", flush=True)
        return check


def _ended_well(run) -> tuple[bool, str]:
    return run.returncode == 0, " | ".join((run.stdout + run.stderr).strip().splitlines()[-4:])


def _figures(run) -> tuple[bool, object]:
    """The last line as JSON, with ``passed``."""
    if run.returncode:
        return _ended_well(run)
    found = json.loads(run.stdout.strip().splitlines()[-1])
    return bool(found.pop("passed", True)), found


def _json_output(run) -> tuple[bool, object]:
    """All of the output is one JSON object."""
    if run.returncode:
        return _ended_well(run)
    return True, json.loads(run.stdout)


def _bench(run) -> tuple[bool, object]:
    if run.returncode:
        return _ended_well(run)
    found = json.loads(run.stdout.strip().splitlines()[-1])
    names = ("end_to_end", "network", "stages_ms", "bound_films_s", "bound_by", "share_of_bound")
    return True, {name: found[name] for name in names}


def _run_gave_up(run) -> tuple[bool, object]:
    """Every film is too late; the run ends by itself and says so, film by film."""
    last = run.stdout.strip().splitlines()[-1:] or [""]
    try:
        counts = json.loads(last[0])
    except ValueError:
        return _ended_well(run)
    return run.returncode == 1 and counts["failed"] == counts["inputs"], counts


def _says_why_not(run) -> tuple[bool, object]:
    rows = json.loads(run.stdout)["runtimes"]
    cuda = [row["problem"] for row in rows if "/cuda/" in row["runtime"]]
    cpu = [row for row in rows if "/cpu/" in row["runtime"] and not row["problem"]]
    return bool(cuda) and all(cuda) and bool(cpu), cuda[:1]


def card_answers(device: str, **_) -> dict:
    """The card, its libraries, and whether it adds up."""
    import torch

    facts = {"torch": torch.__version__, "cuda": torch.version.cuda}
    if device != "cpu":
        index = torch.device(device).index or 0
        free, total = torch.cuda.mem_get_info(index)
        facts |= {"card": torch.cuda.get_device_name(index), "cards": torch.cuda.device_count()}
        facts |= {"free_gib": round(free / 2**30, 1), "total_gib": round(total / 2**30, 1)}
        facts |= {"capability": torch.cuda.get_device_capability(index)}
    return facts | {"passed": float(torch.ones(3, device=device).sum()) == 3}


def gate(device: str, model: str, **_) -> dict:
    """Every precision through the parity gate; answers do not depend on a film's company."""
    import numpy as np

    from hoseg.infer.predictor import Predictor
    from hoseg.infer.reference import reference_of

    predictor = Predictor(model, device)
    films = list(reference_of(predictor.models[0]).films)
    forth = predictor.predict(films)
    back = predictor.predict(films[::-1])[::-1]
    same = all(np.array_equal(a.masks, b.masks) for a, b in zip(forth, back, strict=True))
    attempts = [[a.runtime, a.outcome, a.agreement] for a in predictor.choice.attempts]
    return {"attempts": attempts, "order_does_not_matter": same, "passed": same}


def _open(device: str, model: str):
    from hoseg.infer.predictor import Options, Predictor

    return Predictor(model, device, options=Options(films=1))


def _film(film: str, spacing_mm: float):
    from hoseg.dicom import Source, decode
    from hoseg.imaging.prepare import prepare

    return prepare(decode(Source(Path(film), film))[0], spacing_mm)


def _answers(device: str, model: str, film: str, count: int) -> float:
    """Films a second of the network alone in this process."""
    predictor = _open(device, model)
    prepared = _film(film, predictor.spacing_mm)
    predictor.engine.answer(prepared)
    start = time.perf_counter()
    for _ in range(count):
        predictor.engine.answer(prepared)
    return count / (time.perf_counter() - start)


def processes(device: str, model: str, films: list[str], **_) -> dict:
    """The network alone from one process, and from several at once, each with its own."""
    count = 40 if device != "cpu" else 4
    workers = min(8, os.cpu_count() or 1)
    one = _answers(device, model, films[0], count)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        jobs = [pool.submit(_answers, device, model, films[0], count) for _ in range(workers)]
        together = sum(job.result() for job in jobs)
    return {"one_films_s": one, "processes": workers, "together_films_s": together}


def windows(device: str, model: str, films: list[str], **_) -> dict:
    """Films of one window against films of varied ones with as many pixels, in turns."""
    import numpy as np

    from hoseg.infer.windows import field_window

    predictor = _open(device, model)
    step = predictor.models[0].card.pad_multiple
    whole = _film(films[0], predictor.spacing_mm)
    rows, columns = field_window(whole.field, step, step).shape
    shapes = {(rows + i * step, columns - i * step) for i in range(-4, 5) if columns > i * step}
    rng = np.random.default_rng(0)
    forward = predictor.engine._forwards[0]
    varied = [rng.standard_normal(shape).astype(np.float32) for shape in sorted(shapes)]
    area = sum(pixels.size for pixels in varied) / len(varied)
    one = [rng.standard_normal((rows, columns)).astype(np.float32)] * len(varied)
    times: dict[str, list[float]] = {"one": [], "varied": []}
    for _ in range(5):
        for name, group in (("one", one), ("varied", varied)):
            start = time.perf_counter()
            for pixels in group:
                forward(pixels)
            times[name].append(time.perf_counter() - start)
    first = {name: times[name][0] for name in times}
    later = {name: sorted(times[name][1:])[2] for name in times}
    ratio = later["varied"] / later["one"] / (area / (rows * columns))
    cold = first["varied"] / len(varied)
    return {
        "shapes": len(varied),
        "varied_to_one_by_area": ratio,
        "first_sight_of_a_shape_ms": 1000 * cold,
        "passed": ratio <= 1 + WITHIN,
    }


INSIDE = {f.__name__: f for f in (card_answers, gate, processes, windows)}


def run_all(args: argparse.Namespace, work: Path) -> list[Check]:
    """The checks in order: what the others rest on comes first."""
    from hoseg.cli.bench import write_films

    python, device = sys.executable, ["--device", args.device]
    folder = work / "films"
    folder.mkdir()
    written = write_films(folder, 2 if args.quick else 16, "explicit")
    films = [str(path) for path in written[:2]]
    hoseg, quick = [python, "-m", "hoseg.cli"], args.quick
    seen = ["nvidia-smi"] if args.device != "cpu" else [python, "--version"]
    checks = Checks(args)
    checks.command("the driver shows the card", 10, seen)
    checks.inside("torch answers on it", 40, "card_answers", *films)
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/infer/test_torch_cuda.py"]
    checks.command("the tests of its path, CPU in its place", 60, [python, *tests])
    checks.inside("parity gate, and order of films", 60, "gate", *films)
    roof = [python, "scripts/bench_roofline.py", args.model, args.device]
    checks.command("roofline of the true window", 60, roof, _json_output)
    bench = [*hoseg, "bench", *device, "--films", "2" if quick else "8", "--passes"]
    bench += ["1" if quick else "3", "--json", "--encoding", args.encoding]
    checks.command("hoseg bench", 90, bench, _bench)
    checks.inside("the network from several processes", 60, "processes", *films)
    out = [*hoseg, "run", str(folder), *device, "--json", "--out"]
    checks.command("hoseg run", 60, [*out, str(work / "o1")])
    late = [*out, str(work / "o2"), "--limit-s", "0.05"]
    checks.command("films given up one after the other", 60, late, _run_gave_up)
    checks.inside("varied windows against one", 40, "windows", *films)
    doctor = [*hoseg, "doctor", "--json"]
    checks.command("no card: said why", 30, doctor, _says_why_not, CUDA_VISIBLE_DEVICES="")
    compare = [python, "scripts/bench_inference.py", "--model", args.model, *device, "--methods"]
    compare += ["hoseg", "plain loop, cv2", "--encodings", args.encoding, "--rounds", "1"]
    compare += ["--films", "2" if quick else "4", "--seconds", "2" if quick else "3"]
    checks.command("bench_inference", 90, compare)
    return checks.done


def table(args: argparse.Namespace, checks: list[Check]) -> str:
    """Markdown for ``models/BENCHMARKS.md``."""
    lines = [f"`scripts/gpu_check.sh --device {args.device} --model {args.model}`", ""]
    lines += ["| | check | outcome | found |", "|---|---|---|---|"]
    for check in checks:
        text = check.found if isinstance(check.found, str) else json.dumps(_brief(check.found))
        text = text.replace("|", "/")
        lines.append(f"| {check.number} | {check.name} | {check.outcome} | {text} |")
    return "\n".join(lines) + "\n"


def _brief(value: object) -> object:
    """Numbers with three digits, for people."""
    if isinstance(value, float):
        return float(f"{value:.3g}")
    if isinstance(value, dict):
        return {key: _brief(item) for key, item in value.items()}
    return [_brief(item) for item in value] if isinstance(value, list) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", default="hip-sim-1", help="name or folder of a model")
    parser.add_argument("--encoding", default="jpeg_lossless", help="of the films of the benches")
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", ".")))
    parser.add_argument("--quick", action="store_true", help="few films: tests the script")
    parser.add_argument("--inside", choices=list(INSIDE), help=argparse.SUPPRESS)
    parser.add_argument("--films", nargs="*", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        print(json.dumps(INSIDE[args.inside](**vars(args))))
        return
    work = Path(tempfile.mkdtemp(prefix="gpu-check-"))
    try:
        checks = run_all(args, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    args.out.mkdir(parents=True, exist_ok=True)
    report = {"device": args.device, "checks": [asdict(check) for check in checks]}
    (args.out / "gpu_check.json").write_text(json.dumps(report, indent=2) + "\n")
    (args.out / "gpu_check.md").write_text(table(args, checks))
    sys.exit(any(check.outcome == "failed" for check in checks))


if __name__ == "__main__":
    main()
