"""A released model as a file for other runtimes, judged before it is handed out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import hoseg
from hoseg.errors import OutputError, SettingError
from hoseg.extras import require
from hoseg.files import write_whole
from hoseg.infer import derived
from hoseg.infer.engine import Engine, deployment_of
from hoseg.infer.options import Options, RuntimeOptions
from hoseg.infer.parity import ParityResult, check_engine, grading_of, processor_name
from hoseg.infer.reference import load_reference, make_reference
from hoseg.segment.weights import Model

FORMATS = ("onnx", "openvino")
REPORT = "parity-{runtime}.json"


@dataclass(frozen=True)
class Exported:
    """What was written.

    files: the runtime's file first
    parity: of the parity gate on exactly that file
    """

    files: tuple[Path, ...]
    parity: ParityResult


def export_model(model: Model, runtime: str, folder: Path) -> Exported:
    """Write a model for a runtime, its reference films and its parity report.

    In the model's own folder the ONNX file and the reference are what ``hoseg run`` then uses, so
    that inference needs no torch.

    Raises
    ------
    SettingError: unknown runtime
    MissingExtra: a package is missing
    OutputError: the folder cannot be written
    """
    if runtime not in FORMATS:
        raise SettingError("--runtime", runtime, f"one of {', '.join(FORMATS)}")
    package = "onnxruntime" if runtime == "onnx" else "openvino"
    needed = ("torch", "onnx") if runtime == "onnx" else ("torch", "onnx", "openvino")
    require("export", *needed, purpose=f"hoseg export --runtime {runtime}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        derived.add_derived(folder, derived.ONNX, model, derived.export_onnx)
        derived.add_derived(folder, derived.REFERENCE, model, make_reference)
        files = [folder / derived.ONNX]
        if runtime == "openvino":
            files = _write_openvino(files[0])
        result = _check(model, runtime, files[0], folder / derived.REFERENCE)
        report = folder / REPORT.format(runtime=runtime)
        write_whole(report, _report(model, package, files[0], result))
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from error
    return Exported((*files, folder / derived.REFERENCE, report), result)


def _write_openvino(onnx: Path) -> list[Path]:
    """Convert to OpenVINO's own format, weights in float32."""
    openvino = import_module("openvino")
    target = onnx.with_suffix(".xml")
    openvino.save_model(openvino.Core().read_model(onnx), target, compress_to_fp16=False)
    return [target, target.with_suffix(".bin")]


def _check(model: Model, runtime: str, path: Path, reference: Path) -> ParityResult:
    """Send the reference films through the file itself."""
    module = import_module(f"hoseg.infer.runtimes.{runtime}_cpu")
    forward = module.open_file(path, RuntimeOptions("cpu", "float32", 1))
    engine = Engine((forward,), deployment_of((model,), Options(films=1)))
    return check_engine(engine, load_reference(reference), grading_of(model))


def _report(model: Model, package: str, path: Path, result: ParityResult) -> str:
    """JSON of what was compared with what, where."""
    facts = {
        "model": model.card.label,
        "file": path.name,
        "hoseg": hoseg.__version__,
        package: version(package),
        "torch": version("torch"),
        "processor": processor_name(),
        **asdict(result),
    }
    return json.dumps(facts, indent=2) + "\n"
