"""The Python half of ``check_dicom_out.sh``: export, read back, compare with an archive."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from io import BytesIO
from pathlib import Path

import cv2
import highdicom as hd
import numpy as np
import pydicom
from pydicom.dataset import Dataset

from hoseg.radiograph import STRUCTURES
from hoseg.report.export import export_run


def export(run: Path, listing: Path) -> None:
    """Write the objects of a run and list them."""
    summary = export_run(run)
    for failure in summary.failed:
        print("not exported:", *failure, sep="\n  ")
    if not summary.written:
        sys.exit("nothing was exported")
    listing.write_text("".join(f"{(run / name).resolve()}\n" for name in summary.written))
    print(f"exported {len(summary.written)} objects, {len(summary.failed)} inputs not possible")


def masks_by_highdicom(path: Path) -> np.ndarray:
    """Masks in bit order as highdicom reads them from a Segmentation."""
    segmentation = hd.seg.segread(path)
    source = segmentation.SourceImageSequence[0].ReferencedSOPInstanceUID
    pixels = segmentation.get_pixels_by_source_instance([source])[0]
    masks = np.zeros(pixels.shape[:2], np.uint8)
    for number in segmentation.segment_numbers:
        structure = segmentation.get_segment_description(number).segment_label.split()[0]
        masks |= np.uint8(1 << STRUCTURES.index(structure)) * (pixels[..., number - 1] > 0)
    return masks


def masks_by_pydicom(path: Path) -> np.ndarray:
    """The same from the frames as pydicom decodes them."""
    dataset = pydicom.dcmread(path)
    frames = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    masks = np.zeros(frames.shape[1:], np.uint8)
    for frame, groups in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        number = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        structure = dataset.SegmentSequence[number - 1].SegmentLabel.split()[0]
        masks |= np.uint8(1 << STRUCTURES.index(structure)) * frame.astype(np.uint8)
    return masks


def readback(run: Path) -> None:
    """Every Segmentation gives exactly the masks of its ``masks.png``."""
    paths = sorted(run.glob("studies/*/*/segmentation.dcm"))
    for path in paths:
        truth = cv2.imread(str(path.with_name("masks.png")), cv2.IMREAD_UNCHANGED)
        for reader in (masks_by_highdicom, masks_by_pydicom):
            if not np.array_equal(reader(path), truth):
                sys.exit(f"{path}: {reader.__name__} differs from masks.png")
    for path in sorted(run.glob("studies/*/report.dcm")):
        groups = hd.sr.srread(path).content.get_image_measurement_groups()
        if not groups:
            sys.exit(f"{path}: highdicom finds no measurement group")
    print(f"highdicom and pydicom read the same masks from {len(paths)} segmentations")


def wait(port: int) -> None:
    """Wait until the archive answers."""
    for _ in range(150):
        try:
            fetch(port, "/system")
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    sys.exit("Orthanc did not start within 30 s")


def fetch(port: int, path: str, body: bytes | None = None) -> bytes:
    """GET, or POST with a body, on the archive's REST interface."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", body, timeout=60) as answer:
        return bytes(answer.read())


def data_of(dataset: Dataset) -> dict[int, object]:
    """Elements of the data set without group lengths."""
    return {int(e.tag): e.value for e in dataset if e.tag.element != 0}


def compare(port: int, listing: Path) -> None:
    """The archive returns every object unchanged."""
    paths = [Path(line) for line in listing.read_text().splitlines()]
    for path in paths:
        sent = pydicom.dcmread(path)
        found = json.loads(fetch(port, "/tools/lookup", str(sent.SOPInstanceUID).encode()))
        found = [entry for entry in found if entry["Type"] == "Instance"]
        if not found:
            sys.exit(f"{path}: the archive does not have it")
        returned = pydicom.dcmread(BytesIO(fetch(port, f"/instances/{found[0]['ID']}/file")))
        if data_of(sent) != data_of(returned):
            sys.exit(f"{path}: the archive returned something else")
    print(f"Orthanc accepted and returned {len(paths)} objects unchanged")


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "export":
        export(Path(arguments[0]), Path(arguments[1]))
    elif command == "readback":
        readback(Path(arguments[0]))
    elif command == "wait":
        wait(int(arguments[0]))
    elif command == "compare":
        compare(int(arguments[0]), Path(arguments[1]))
    else:
        sys.exit(f"unknown command {command!r}; expected export, readback, wait or compare")
