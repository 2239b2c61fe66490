"""Which runtime is used: the fastest row of the table that is here and passes its parity gate."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import partial
from importlib import import_module

from hoseg.errors import DeviceError, MissingExtra, OutOfMemory, SettingError
from hoseg.extras import require
from hoseg.infer.engine import Engine, deployment_of
from hoseg.infer.options import Options, Runtime, RuntimeOptions
from hoseg.infer.parity import ParityResult, check_parity
from hoseg.infer.runtimes import NAMES, REFERENCE, RUNTIMES
from hoseg.segment.weights import Model

CLEAR_LEAD = 0.15
"""Share by which a runtime must be faster than one above it in the table to be taken instead."""


@dataclass(frozen=True)
class Attempt:
    """What became of one row of the table.

    runtime: label, e.g. "onnx/cpu/float32"
    outcome: "used", "passed" (but slower), "failed" (the gate) or "unavailable"
    reason: a sentence
    agreement: share of mask pixels equal to float32 torch on the reference set, if judged
    film_ms: milliseconds a reference film took, one at a time, if judged
    """

    runtime: str
    outcome: str
    reason: str
    agreement: float | None = None
    film_ms: float | None = None


@dataclass(frozen=True)
class Choice:
    """The runtime taken, for ``run.json``.

    attempts: every row that was looked at, in the order of the table
    """

    runtime: str
    device: str
    precision: str
    reason: str
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True)
class _Passed:
    """A row that may be used; result: None when it needs no gate."""

    row: Runtime
    result: ParityResult | None

    @property
    def film_ms(self) -> float:
        return self.result.film_ms if self.result else math.inf


def choose(
    models: tuple[Model, ...], device: str, runtime: str | None, options: Options
) -> tuple[Choice, Engine]:
    """Open the fastest runtime that passes.

    Raises
    ------
    MissingExtra: what was asked for by name, or the model's files for it, need a package
    DeviceError: none can be used, with a sentence for every row tried
    """
    attempts: dict[Runtime, Attempt] = {}
    passed: list[_Passed] = []
    lacking: MissingExtra | None = None
    for row in _wanted(device, runtime, options.precision):
        if passed and _is_pointless(row, passed):
            continue
        try:
            found, attempts[row] = _try(row, models, device, options)
        except MissingExtra as error:
            lacking = lacking or error
            found, attempts[row] = None, Attempt(row.label, "unavailable", str(error))
        passed += [found] if found else []
    for best in _fastest_first(passed):
        where = _device_name(best.row, device)
        try:
            engine = open_engine(best.row, models, where, options)
        except DeviceError as error:
            attempts[best.row] = Attempt(best.row.label, "unavailable", str(error))
            continue
        reason = _why(best, passed)
        attempts[best.row] = _attempt(best.row, "used", reason, best.result)
        tried = tuple(attempts.values())
        return Choice(best.row.name, where, best.row.precision, reason, tried), engine
    raise lacking or DeviceError(_nothing_works(device, runtime, list(attempts.values())))


def _fastest_first(passed: list[_Passed]) -> list[_Passed]:
    """Order by speed; a lead below ``CLEAR_LEAD`` is noise and keeps the order of the table."""
    ordered: list[_Passed] = []
    for row in passed:
        place = len(ordered)
        while place and row.film_ms < (1 - CLEAR_LEAD) * ordered[place - 1].film_ms:
            place -= 1
        ordered.insert(place, row)
    return ordered


def _wanted(device: str, runtime: str | None, precision: str | None) -> list[Runtime]:
    """Rows of the table that fit what was asked for."""
    if device != "auto" and not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise SettingError("device", device, "auto, cpu, cuda or cuda:N")
    if runtime is not None and runtime not in NAMES:
        raise SettingError("runtime", runtime, f"one of {', '.join(NAMES)}")
    kind = device.partition(":")[0]
    if kind == "cuda":
        require("gpu", "torch", purpose=f"--device {device}")
    if runtime in ("torch", "openvino"):
        extra = "gpu" if runtime == "torch" else "export"
        require(extra, runtime, purpose=f"--runtime {runtime}")
    rows = [
        row
        for row in RUNTIMES
        if kind in ("auto", row.device)
        and runtime in (None, row.name)
        and precision in (None, row.precision)
    ]
    if not rows:
        raise SettingError(
            "runtime", f"{runtime} on {device} in {precision or 'any precision'}",
            "a row of: " + ", ".join(row.label for row in RUNTIMES),
        )  # fmt: skip
    return rows


def _is_pointless(row: Runtime, passed: list[_Passed]) -> bool:
    """Whether a row cannot win any more.

    A GPU beats every CPU, its first precision that passes is the fastest, and torch on a CPU is
    slower than either engine in every measurement (models/BENCHMARKS.md) and slow to import.
    """
    return passed[0].row.device == "cuda" or row.name == "torch"


def _try(
    row: Runtime, models: tuple[Model, ...], device: str, options: Options
) -> tuple[_Passed | None, Attempt]:
    """Send one row through the gate."""
    where = _device_name(row, device)
    obstacle = row.why_not(where)
    if obstacle:
        return None, Attempt(row.label, "unavailable", obstacle)
    if not options.gate or row == REFERENCE:
        return _Passed(row, None), Attempt(row.label, "passed", "taken without a gate")
    try:
        result = _gate(row, models, where, options)
    except (DeviceError, OutOfMemory) as error:
        return None, Attempt(row.label, "unavailable", str(error))
    outcome = "passed" if result.passed else "failed"
    attempt = _attempt(row, outcome, result.sentence, result)
    return (_Passed(row, result) if result.passed else None), attempt


def _gate(row: Runtime, models: tuple[Model, ...], device: str, options: Options) -> ParityResult:
    """Return the worst result over an ensemble's networks, each alone and without extras.

    Flips, tiles and averages are the same arithmetic on every runtime; only networks differ.
    """
    plain = Options(threads=options.threads, films=1)
    results = [
        check_parity(row, model, device, partial(open_engine, row, (model,), device, plain))
        for model in models
    ]
    return min(results, key=lambda v: (v.passed, v.agreement))


def open_engine(row: Runtime, models: tuple[Model, ...], device: str, options: Options) -> Engine:
    """Make the networks of an ensemble ready on one row of the table."""
    module = import_module(f"hoseg.infer.runtimes.{row.module}")
    opened_as = RuntimeOptions(device, row.precision, options.threads, options.parallel_films)
    deployment = deployment_of(models, options)
    return Engine(tuple(module.open_network(m, opened_as) for m in models), deployment)


def _device_name(row: Runtime, device: str) -> str:
    """Device of a row: what the user named, or the row's own."""
    return device if device.startswith(row.device) else row.device


def _attempt(row: Runtime, outcome: str, reason: str, result: ParityResult | None) -> Attempt:
    if result is None:
        return Attempt(row.label, outcome, reason)
    return Attempt(row.label, outcome, reason, result.agreement, result.film_ms)


def _why(best: _Passed, passed: list[_Passed]) -> str:
    """Return the sentence that says why this row was taken."""
    if best.result is None:
        return "the float32 reference itself" if best.row == REFERENCE else "taken without a gate"
    slower = [f"{c.row.label} {c.film_ms:.0f} ms" for c in passed if c is not best and c.result]
    versus = f", against {'; '.join(slower)}" if slower else ""
    return f"{best.result.sentence}; {best.film_ms:.0f} ms a film{versus}"


def _nothing_works(device: str, runtime: str | None, attempts: list[Attempt]) -> str:
    wanted = f"device {device!r}" + (f" with runtime {runtime!r}" if runtime else "")
    reasons: dict[str, list[str]] = {}
    for attempt in attempts:
        reasons.setdefault(attempt.reason, []).append(attempt.runtime)
    tried = "; ".join(f"{', '.join(rows)}: {reason}" for reason, rows in reasons.items())
    return f"{wanted} cannot be used. Tried {tried}"
