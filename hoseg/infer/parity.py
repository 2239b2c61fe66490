"""The parity gate: no runtime, precision or export is used before its masks agree with torch.

Float32 torch on the CPU is the reference. A candidate passes if at least 99.95 % of mask pixels
are equal over the reference films and no hip of any film changes its class.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

import hoseg
from hoseg.errors import OutputError
from hoseg.files import write_whole
from hoseg.grade import GradingModels, grade, read_grading_models
from hoseg.imaging.reading import Reading
from hoseg.infer import runtimes
from hoseg.infer.derived import cache_root
from hoseg.infer.engine import Engine
from hoseg.infer.options import Runtime
from hoseg.infer.reference import Reference, reference_of
from hoseg.infer.runtimes import obstacles
from hoseg.radiograph import (
    STRUCTURES,
    Prepared,
    Radiograph,
    Segmentation,
    Spacing,
    SpacingSource,
    View,
)
from hoseg.segment.weights import Model

MIN_AGREEMENT = 0.9995


@dataclass(frozen=True)
class ParityResult:
    """What the gate found.

    passed: agreement and classes are both in order
    agreement: share of mask pixels with all four bits equal, over all reference films
    worst_dice: of the structure that agrees least (1.0 when both have none)
    changed_hips: hips whose class differs; looked at only where enough pixels agree
    film_ms: median time of a film, one at a time: processor time on a CPU, so that what else
        the machine does cannot choose the runtime
    sentence: for people and for ``run.json``
    """

    passed: bool
    agreement: float
    worst_dice: float
    changed_hips: int
    film_ms: float
    sentence: str


def check_parity(
    row: Runtime, model: Model, device: str, open_engine: Callable[[], Engine]
) -> ParityResult:
    """Judge a row of the table on one model; a result is kept for this machine and versions.

    device: "cpu", "cuda" or "cuda:N"; the result holds for this card
    open_engine: makes the network ready; called only if there is no result yet
    """
    path = _result_path(row, model, device)
    known = _read_result(path)
    if known is not None:
        return known
    reference = reference_of(model)
    clock = time.process_time if row.device == "cpu" else time.perf_counter
    result = check_engine(open_engine(), reference, grading_of(model), clock)
    _keep_result(path, result)
    return result


def grading_of(model: Model) -> GradingModels:
    """What a model's folder holds for grading: classes hang on which contacts count."""
    return read_grading_models(model.card.classes, model.files, str(model.path))


def check_engine(
    engine: Engine,
    reference: Reference,
    grading: GradingModels = GradingModels(),
    clock: Callable[[], float] = time.process_time,
) -> ParityResult:
    """Send the reference films through an engine and compare.

    grading: what the model's folder holds for grading
    clock: seconds, for the time of a film
    """
    answers, film_ms = _timed_answers(engine, reference, clock)
    return compare(reference, answers, grading, film_ms)


def compare(
    reference: Reference,
    answers: Sequence[Segmentation],
    grading: GradingModels = GradingModels(),
    film_ms: float = 0.0,
) -> ParityResult:
    """Compare answers with those of the reference, pixel by pixel and hip by hip."""
    pairs = [(a.masks, b.masks) for a, b in zip(reference.answers, answers, strict=True)]
    pixels = sum(truth.size for truth, _ in pairs)
    equal = sum(int(np.count_nonzero(truth == found)) for truth, found in pairs)
    agreement = equal / pixels
    changed = 0
    if agreement >= MIN_AGREEMENT:  # otherwise it has failed already
        changed = sum(
            count_changed_hips(film, truth, found, grading)
            for film, truth, found in zip(reference.films, reference.answers, answers, strict=True)
        )
    passed = agreement >= MIN_AGREEMENT and changed == 0
    sentence = f"{100 * agreement:.4f} % of mask pixels equal float32 torch on {len(pairs)} films"
    if agreement >= MIN_AGREEMENT:
        sentence += f", {changed} hip classes changed"
    if not passed:
        sentence += f"; the gate wants {100 * MIN_AGREEMENT} % and no changed class"
    return ParityResult(passed, agreement, _worst_dice(pairs), changed, film_ms, sentence)


def count_changed_hips(
    film: Prepared,
    truth: Segmentation,
    found: Segmentation,
    grading: GradingModels = GradingModels(),
) -> int:
    """Hips of one film whose class, in any system, or presence differs between two answers."""
    if grading.contacts is None and np.array_equal(truth.masks, found.masks):
        return 0
    pairs = zip_longest(*(_classes(film, answer, grading) for answer in (truth, found)))
    return sum(a != b for a, b in pairs)


def _classes(
    film: Prepared, answer: Segmentation, grading: GradingModels
) -> list[tuple[tuple[str, int | str | None], ...]]:
    """(system, class) pairs of every hip, hips in the order of their columns."""
    spacing = Spacing(*film.grid.spacing_mm, 0.0, SpacingSource.USER)
    radiograph = Radiograph(film.pixels, "reference", spacing, view=View.AP_PELVIS)
    hips = grade(Reading(radiograph, film, answer), grading, draws=0)
    return [tuple(hip.classes.items()) for hip in hips]


def _worst_dice(pairs: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> float:
    """Dice over all films of the structure that agrees least."""
    scores = []
    for bit in range(len(STRUCTURES)):
        both = total = 0
        for truth, found in pairs:
            a, b = truth >> bit & 1, found >> bit & 1
            both += int(np.count_nonzero(a & b))
            total += int(np.count_nonzero(a)) + int(np.count_nonzero(b))
        scores.append(2 * both / total if total else 1.0)
    return min(scores)


def _timed_answers(
    engine: Engine, reference: Reference, clock: Callable[[], float]
) -> tuple[list[Segmentation], float]:
    """Answers to the reference films, and the median time of one (ms).

    Timed at second sight: engines compile something for every new shape of window.
    """
    answers = list(engine.segment(reference.films))
    times_ms = []
    for film in reference.films:
        start = clock()
        list(engine.segment([film]))
        times_ms.append(1000 * (clock() - start))
    return answers, median(times_ms)


def _result_path(row: Runtime, model: Model, device: str) -> Path:
    """File of a result: another model, machine or version has another name."""
    about = model.card.fingerprint
    facts = [row.label, about, hoseg.__version__, version(row.package), *_machine(device)]
    facts.append(_source_of_inference())
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return cache_root() / "parity" / f"{digest[:24]}.json"


@cache
def _source_of_inference() -> str:
    """Hash of the code that runs networks: a result does not outlive a change to it."""
    room = Path(runtimes.__file__).parent
    names = ("components", "deploy", "engine", "windows")
    files = [room.with_name(f"{name}.py") for name in names]
    files += [Path(hoseg.__path__[0], "segment", "network.py"), *sorted(room.glob("*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _machine(device: str) -> list[str]:
    """Processor, or card and its libraries: another one computes in another order."""
    if device == "cpu":
        return [processor_name()]
    import torch

    name = torch.cuda.get_device_name(torch.device(device).index or 0)
    libraries = (torch.version.cuda, _cudnn_version(), obstacles.driver_version())
    return [name, *map(str, libraries)]


def _cudnn_version() -> int | None:
    """None on a card that cannot be opened: asking opens it, and opening the network says why."""
    import torch

    try:
        return torch.backends.cudnn.version()
    except RuntimeError:
        return None


def processor_name() -> str:
    """Model name of the CPU as the system reports it, with its number of cores."""
    import os
    import platform

    info = Path("/proc/cpuinfo")
    name = platform.processor() or platform.machine()
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name} x {os.cpu_count()}"


def _read_result(path: Path) -> ParityResult | None:
    try:
        return ParityResult(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _keep_result(path: Path, result: ParityResult) -> None:
    """Keep a result; where nothing can be written the gate simply runs again."""
    with suppress(OSError, OutputError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(asdict(result)))
