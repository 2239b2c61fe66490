"""One input of a batch: decode, run the pipeline, write its folder, say what came of it."""

from __future__ import annotations

import hashlib
import os
import shutil
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import cv2

import hoseg
from hoseg.batch.journal import Entry
from hoseg.batch.plan import Task
from hoseg.batch.repeats import TWIN_NOTE, fingerprint
from hoseg.batch.settings import RunSettings
from hoseg.dicom import decode
from hoseg.errors import DeviceError, InputError, OutOfMemory, OutputError
from hoseg.imaging.quality import check_attributes
from hoseg.infer.predictor import Choice, open_chosen
from hoseg.memory import keep_freed_memory
from hoseg.pipeline import ImageResult, Pipeline
from hoseg.radiograph import Attributes, Radiograph
from hoseg.reasons import Reason, status_of
from hoseg.report.overlay import thumbnail
from hoseg.report.paths import inside, safe_name
from hoseg.report.png import encode_png
from hoseg.report.schema import ResultFile, result_for_failure, to_json
from hoseg.review import CASE_FILE, case_script

PARTIAL = ".partial"
"""Folder below the output in which an image's files are written before they get their name."""

FILM_QUALITY, THUMBNAIL_QUALITY = 92, 80  # of the JPEG files behind the review page


@dataclass(frozen=True)
class Probe:
    """A look at the pixels of a task, to compare them with another's."""

    task: Task


def make_worker(
    settings: RunSettings, choice: Choice, number: int = 0
) -> Callable[[Task | Probe], Entry | str]:
    """Load the model in this process and return the function that does one task.

    A ``Task`` becomes the entry of its input, a ``Probe`` the fingerprint of the pixels.

    choice: the runtime that the parent chose and sent through its parity gate
    number: of this worker, from 0
    """
    cv2.setNumThreads(1)  # one film a process, one thread a film
    keep_freed_memory()
    predictor = open_chosen(settings.model, choice, number)
    pipeline = Pipeline(predictor, seed=settings.seed, second_look=settings.second_look)

    def work(task: Task | Probe) -> Entry | str:
        return look(task.task) if isinstance(task, Probe) else process(task, pipeline, settings)

    return work


def process(task: Task, pipeline: Pipeline, settings: RunSettings) -> Entry:
    """Do one task. What is wrong with an input becomes its row and stops nothing else.

    Raises
    ------
    OutputError: the results cannot be written
    DeviceError: the runtime is gone
    """
    results: list[ResultFile] = []
    try:
        for radiograph in decode(task.source, wanted=_may_be_drawn):
            if task.twin:
                radiograph = replace(radiograph, notes=(*radiograph.notes, TWIN_NOTE))
            image = pipeline.read(radiograph)
            drawn = image.result.status in ("graded", "abstained")
            written = write_image(image, settings.out, task.twin) if drawn else image.result
            results.append(written)
    except InputError as error:
        results.append(result_for_failure(error, status_of(error.code)))
    except (OutputError, DeviceError):  # would happen to every other input too
        raise
    except Exception as error:  # whatever goes wrong with one input costs that one only
        results.append(result_for_failure(fault(task.source.name, error)))
    return entry_of(task, results)


def look(task: Task) -> str:
    """Fingerprint of the pixels of an input; "" when it cannot be read."""
    try:
        return fingerprint(decode(task.source))
    except Exception:  # why it cannot is said in its row, when it is processed
        return ""


def entry_of(task: Task, results: Sequence[ResultFile]) -> Entry:
    """Entry of an input with at least one result."""
    source = task.source
    return Entry.of(source.name, task.stamp, results, source.identity, task.uid)


def _may_be_drawn(film: Radiograph) -> bool:
    """Whether pixels are needed: most of an archive shows no hip, says so, and is never drawn."""
    return check_attributes(film).status != "skipped"


def fault(source: str, error: Exception) -> InputError:
    """What nobody foresaw, as the error of one input: what and where, for whoever mends it."""
    if isinstance(error, MemoryError):
        text = "not enough memory for this image; use fewer --workers"
        text = str(error) if isinstance(error, OutOfMemory) else text
        return InputError(source, text, code=Reason.OUT_OF_MEMORY.value)
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(hoseg.__path__[0])]
    place = f"{PurePath(ours[-1].filename).name}, line {ours[-1].lineno}" if ours else "?"
    text = f"{type(error).__name__} in {place}: {error}"
    sentence = f"a fault of hoseg, not of the file; please report it ({text[:300]})"
    return InputError(source, sentence, code=Reason.INTERNAL_ERROR.value)


def write_image(image: ImageResult, out: Path, twin: str = "") -> ResultFile:
    """Write one image's folder under a temporary name, then rename it.

    twin: as in ``Task``; ends the name of a folder whose UID alone would name several

    Returns the result with its ``folder``.

    Raises
    ------
    OutputError: disk full, no permission, a path that leads out of the output folder
    """
    folder = image_folder(image.radiograph.source, image.radiograph.attributes, twin)
    result = image.result.model_copy(update={"folder": folder})
    partial, final = out / PARTIAL / str(os.getpid()), inside(out, folder)
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        (partial / "overlay.png").write_bytes(image.overlay().png())
        (partial / "masks.png").write_bytes(encode_png(image.masks()))
        for name, data in jpeg_files(image).items():
            (partial / name).write_bytes(data)
        case = case_script(result, image.masks(), image.contours)
        (partial / CASE_FILE).write_text(case, encoding="utf-8")
        (partial / "result.json").write_text(to_json(result), encoding="utf-8")
        _publish(partial, final)
    except OSError as error:
        raise OutputError(
            f"{final}: {error.strerror or error}; free space or choose another --out, then run "
            "the same command again: what is done stays done"
        ) from error
    return result


def jpeg_files(image: ImageResult) -> dict[str, bytes]:
    """Name and content of the pictures behind the review page: the film, and a small one."""
    small = thumbnail(image.grey, image.masks())[..., ::-1]
    files = {}
    for name, picture, quality in (
        ("film.jpg", image.grey, FILM_QUALITY),
        ("thumb.jpg", small, THUMBNAIL_QUALITY),
    ):
        options = [cv2.IMWRITE_JPEG_QUALITY, quality]
        files[name] = cv2.imencode(".jpg", picture, options)[1].tobytes()
    return files


def image_folder(source: str, attributes: Attributes, twin: str = "") -> str:
    """``studies/<study>/<image>`` from identifiers nobody here chose."""
    digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    study = safe_name(attributes.study_uid) if attributes.study_uid else "no-study"
    if attributes.sop_uid:
        image = safe_name(attributes.sop_uid)
    else:
        image = safe_name(f"{PurePath(source).stem}-{digest}")
    if twin:
        image += f"-{twin}"
    if attributes.frame:
        image += f"-frame{attributes.frame}"
    return f"studies/{study}/{image}"


def _publish(partial: Path, final: Path) -> None:
    """Give a complete folder its name; an older one of that name makes way."""
    final.parent.mkdir(parents=True, exist_ok=True)
    if final.exists():
        old = partial.with_name(f"{partial.name}-old")
        shutil.rmtree(old, ignore_errors=True)
        final.rename(old)
        partial.rename(final)
        shutil.rmtree(old, ignore_errors=True)
    else:
        partial.rename(final)
