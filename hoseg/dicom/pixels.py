"""Stored pixel values of every frame: checked first, then decoded, one frame at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, convert_color_space, get_decoder
from pydicom.uid import UID

from hoseg.dicom.codecs import HALF, PLUGIN, register
from hoseg.dicom.source import Limits, Source
from hoseg.dicom.values import CONVERSION_ERRORS, text_of, value_of, whole_of
from hoseg.errors import InputError
from hoseg.radiograph import Note
from hoseg.reasons import Reason

# What pydicom raises while it decodes; it wraps the codecs' own errors in RuntimeError.
DECODE_ERRORS = (*CONVERSION_ERRORS, RuntimeError, StopIteration, MemoryError, cv2.error)

_COLOUR_SHARE = 0.02  # more visibly coloured pixels than this make a colour picture
_COLOUR_LEVELS = 24  # difference between channels of 8 bit that an eye sees at once

Pixels = NDArray[Any]


@dataclass(frozen=True)
class Layout:
    """What the attributes say about the pixel data, checked.

    keyword: PixelData, FloatPixelData or DoubleFloatPixelData
    """

    rows: int
    columns: int
    samples: int
    frames: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    keyword: str

    @property
    def frame_bytes(self) -> int:
        """Bytes of one decoded frame."""
        return max(1, self.rows * self.columns * self.samples * self.bits_allocated // 8)


def read_layout(dataset: Dataset, source: Source, limits: Limits) -> Layout:
    """Check the image pixel attributes (PS3.3 C.7.6.3) against each other and the limits.

    Raises
    ------
    InputError: no_pixels, bad_tag, too_large, truncated
    """
    keyword = next(
        (k for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if k in dataset), ""
    )
    if not keyword:
        raise _without_pixels(dataset, source)
    allocated = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(keyword)
    allocated = allocated or _whole(dataset, "BitsAllocated", 16, source)
    stored = _whole(dataset, "BitsStored", allocated, source)
    layout = Layout(
        rows=_whole(dataset, "Rows", None, source),
        columns=_whole(dataset, "Columns", None, source),
        samples=_whole(dataset, "SamplesPerPixel", 1, source),
        frames=_whole(dataset, "NumberOfFrames", 1, source),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=_whole(dataset, "HighBit", stored - 1, source),
        signed=_whole(dataset, "PixelRepresentation", 0, source) == 1,
        keyword=keyword,
    )
    _check_layout(layout, source, limits)
    return layout


def _without_pixels(dataset: Dataset, source: Source) -> InputError:
    """Tell an image that lost its pixels from an object that never had any."""
    meta = getattr(dataset, "file_meta", Dataset())
    stated = text_of(dataset, "SOPClassUID") or text_of(meta, "MediaStorageSOPClassUID")
    sop_class = UID(stated)
    modality = text_of(dataset, "Modality") or "unknown"
    if "Rows" in dataset or "Image Storage" in sop_class.name:
        text = "an image without pixel data; the file was not copied completely"
        return source.fail(Reason.TRUNCATED, text)
    return source.fail(Reason.NO_PIXELS, f"an object of modality {modality} without an image")


def _whole(dataset: Dataset, keyword: str, default: int | None, source: Source) -> int:
    """Read a whole number; absent gives the default, anything else is an error that names it."""
    value = whole_of(dataset, keyword)
    if value is not None:
        return value
    stated = value_of(dataset, keyword)
    if stated is None and default is not None:
        return default
    shown = "missing" if stated is None else repr(stated)[:64]
    raise source.fail(Reason.BAD_TAG, f"{keyword} is {shown}; expected a whole number")


def _check_layout(layout: Layout, source: Source, limits: Limits) -> None:
    allowed = {
        "Rows": (layout.rows, 1 <= layout.rows <= 65535, "1 to 65535"),
        "Columns": (layout.columns, 1 <= layout.columns <= 65535, "1 to 65535"),
        "SamplesPerPixel": (layout.samples, layout.samples in (1, 3), "1 or 3"),
        "NumberOfFrames": (layout.frames, layout.frames >= 1, "at least 1"),
        "BitsAllocated": (
            layout.bits_allocated,
            layout.bits_allocated in (1, 8, 16, 32, 64),
            "1, 8, 16, 32 or 64",
        ),
        "BitsStored": (
            layout.bits_stored,
            1 <= layout.bits_stored <= layout.bits_allocated,
            f"1 to BitsAllocated ({layout.bits_allocated})",
        ),
    }
    for keyword, (value, fine, expected) in allowed.items():
        if not fine:
            raise source.fail(Reason.BAD_TAG, f"{keyword} is {value}; expected {expected}")
    size = f"{layout.frames} x {layout.rows} x {layout.columns} x {layout.samples}"
    if layout.rows * layout.columns > limits.frame_pixels:
        text = f"claims {size} pixels; at most {limits.frame_pixels} in a frame are decoded"
        raise source.fail(Reason.TOO_LARGE, f"{text} (Limits.frame_pixels)")
    if layout.frames > limits.frames or (layout.frame_bytes * layout.frames > limits.decoded_bytes):
        text = f"claims {size}; at most {limits.frames} frames, {limits.decoded_bytes} bytes"
        raise source.fail(Reason.TOO_LARGE, f"{text} are decoded (Limits)")


def iter_frames(
    dataset: Dataset, layout: Layout, source: Source, *, half: bool = False
) -> Iterator[tuple[Pixels, str]]:
    """Decode the frames one by one.

    half: JPEG 2000 at half resolution, interpolated; ask ``hoseg.dicom.halve.may_halve`` first

    Yields
    ------
    pixels: (H, W) or (H, W, 3), as stored; read-only for uncompressed data
    photometric: interpretation after decoding (a codec may have turned YBR into RGB)

    Raises
    ------
    InputError: unsupported, truncated, corrupt, out_of_memory
    """
    syntax = UID(str(dataset.file_meta.get("TransferSyntaxUID", "")))
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        text = f"Transfer Syntax UID {syntax} is not supported; convert it with dcmdjpeg or dcmconv"
        raise source.fail(Reason.UNSUPPORTED, text) from error
    options: dict[str, Any]
    if syntax.is_encapsulated:
        register()
        options = {"decoding_plugin": PLUGIN, "allow_excess_frames": False, HALF: half}
    else:
        _check_length(dataset, layout, source)
        options = {"view_only": layout.bits_allocated >= 8}
    try:
        frames = decoder.iter_array(dataset, raw=True, correct_unused_bits=False, **options)
        for _, (pixels, properties) in zip(range(layout.frames), frames, strict=False):
            if not pixels.dtype.isnative:
                pixels = pixels.astype(pixels.dtype.newbyteorder("="))
            yield pixels, str(properties["photometric_interpretation"])
    except MemoryError as error:
        raise source.fail(Reason.OUT_OF_MEMORY, "not enough memory to decode") from error
    except DECODE_ERRORS as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        text = f"the pixel data cannot be decoded ({lines[-1].strip()[:200]}); export it again"
        raise source.fail(Reason.CORRUPT, text) from error


def _check_length(dataset: Dataset, layout: Layout, source: Source) -> None:
    """Compare uncompressed pixel data with its claimed size before anything is allocated."""
    value = value_of(dataset, layout.keyword)
    actual = len(value) if isinstance(value, bytes) else 0
    pixels = layout.rows * layout.columns * layout.samples * layout.frames
    expected = (pixels * layout.bits_allocated + 7) // 8
    if text_of(dataset, "PhotometricInterpretation") == "YBR_FULL_422":
        expected = expected * 2 // 3
    if actual < expected:
        text = f"pixel data has {actual} of {expected} bytes; the file was not copied completely"
        raise source.fail(Reason.TRUNCATED, text)


def keep_stored_bits(
    pixels: Pixels, layout: Layout, *, lossy: bool
) -> tuple[Pixels, tuple[Note, ...]]:
    """Bring values into the range of Bits Stored; the array itself is returned when they are.

    Unused high bits may hold an overlay (PS3.5 8.1.1, retired) and are cut off. A lossy codec may
    overshoot the range instead: there the values are clipped, since cutting would wrap them round.
    """
    width = pixels.dtype.itemsize * 8
    if not np.issubdtype(pixels.dtype, np.integer) or width < layout.bits_stored:
        return pixels, ()
    down = layout.high_bit + 1 - layout.bits_stored
    if 0 < down <= width - layout.bits_stored:
        pixels = pixels >> down
    if layout.bits_stored == width:
        return pixels, ()
    signed = np.issubdtype(pixels.dtype, np.signedinteger)
    low = -(1 << (layout.bits_stored - 1)) if signed else 0
    high = low + (1 << layout.bits_stored) - 1
    if int(pixels.max()) <= high and (not signed or low <= int(pixels.min())):
        return pixels, ()
    if lossy:
        return np.clip(pixels, low, high), ()
    up = width - layout.bits_stored
    text = f"Bits above Bits Stored ({layout.bits_stored}) are not empty (an overlay?); removed."
    return (pixels << up) >> up, (Note("unused_bits_removed", text),)


def to_grey(
    pixels: Pixels, photometric: str, dataset: Dataset, source: Source
) -> tuple[Pixels, tuple[Note, ...]]:
    """Make one channel of a colour or palette image; a grey image passes unchanged."""
    if photometric == "PALETTE COLOR" and pixels.ndim == 2:
        try:
            pixels = apply_color_lut(pixels, dataset)
        except DECODE_ERRORS as error:
            text = f"the colour palette cannot be read ({error}); export it again"
            raise source.fail(Reason.CORRUPT, text) from error
    if pixels.ndim == 2:
        return pixels, ()
    if photometric.startswith("YBR_FULL"):
        pixels = convert_color_space(pixels.astype(np.uint8), photometric, "RGB")
    return grey_of_colour(pixels)


def grey_of_colour(pixels: Pixels) -> tuple[Pixels, tuple[Note, ...]]:
    """Return the luminance of (H, W, 3) RGB and a note when the colours are more than a tint."""
    thumbnail = pixels[:: max(1, pixels.shape[0] // 256), :: max(1, pixels.shape[1] // 256)]
    channels = thumbnail.astype(np.float32)
    full = float(np.iinfo(pixels.dtype).max) if np.issubdtype(pixels.dtype, np.integer) else 255.0
    spread = (channels.max(axis=2) - channels.min(axis=2)) * (255.0 / full)
    share = float(np.mean(spread > _COLOUR_LEVELS))
    if pixels.dtype not in (np.uint8, np.uint16, np.float32):
        pixels = pixels.astype(np.float32)
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    if share > _COLOUR_SHARE:
        text = f"{share:.0%} of the pixels are coloured; only their brightness is used."
        return grey, (Note("colour_picture", text),)
    return grey, (Note("colour_reduced", "A grey film stored in colour; one channel is kept."),)
