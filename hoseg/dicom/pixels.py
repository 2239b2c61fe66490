"""Stored pixel values of every frame: checked first, then decoded, one frame at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, convert_color_space, get_decoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from hoseg.dicom.codecs import CODINGS, Decoded, decode_frame
from hoseg.dicom.codestream import Coding, FrameSize, Truncated, coding_of
from hoseg.dicom.fragments import ITEM, frames_of
from hoseg.dicom.source import Limits, Source
from hoseg.dicom.values import CONVERSION_ERRORS, text_of, value_of, whole_of
from hoseg.errors import InputError
from hoseg.radiograph import Note
from hoseg.reasons import Reason

# What pydicom and the codecs raise while they decode.
DECODE_ERRORS = (*CONVERSION_ERRORS, RuntimeError, StopIteration, MemoryError, cv2.error)

_NATIVE_SYNTAXES = frozenset(
    {
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    }
)
_PHOTOMETRIC = frozenset(
    ["MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"]
) | {"PALETTE COLOR"}

_OVERSHOOT_PART = 32  # of the range, by which a lossy codec may overshoot it

_COLOUR_SHARE = 0.02  # more visibly coloured pixels than this make a colour picture
_COLOUR_LEVELS = 24  # difference between channels of 8 bit that an eye sees at once

Pixels = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded frame.

    pixels: (H, W) or (H, W, 3) stored values, in range and with their sign; may be read-only
    photometric: interpretation after decoding (a codec may have turned YBR into RGB)
    bits_stored: how many bits the values need at most
    notes: what the attributes had wrong
    """

    pixels: Pixels
    photometric: str
    bits_stored: int
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Layout:
    """What the attributes say about the pixel data, checked.

    keyword: PixelData, FloatPixelData or DoubleFloatPixelData
    photometric: one of the defined terms
    notes: what had to be assumed
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
    photometric: str
    notes: tuple[Note, ...] = ()

    @property
    def frame_bytes(self) -> int:
        """Bytes of one decoded frame."""
        return max(1, self.rows * self.columns * self.samples * self.bits_allocated // 8)

    @property
    def all_bytes(self) -> int:
        """Bytes of all frames, uncompressed."""
        pixels = self.rows * self.columns * self.samples * self.frames
        return (pixels * self.bits_allocated + 7) // 8


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
    samples = _whole(dataset, "SamplesPerPixel", 1, source)
    photometric, notes = _photometric(dataset, samples)
    frames, more = _frames(dataset)
    layout = Layout(
        rows=_whole(dataset, "Rows", None, source),
        columns=_whole(dataset, "Columns", None, source),
        samples=samples,
        frames=frames,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=_whole(dataset, "HighBit", stored - 1, source),
        signed=_whole(dataset, "PixelRepresentation", 0, source) == 1,
        keyword=keyword,
        photometric=photometric,
        notes=notes + more,
    )
    _check_layout(layout, source, limits)
    return layout


def _photometric(dataset: Dataset, samples: int) -> tuple[str, tuple[Note, ...]]:
    """Return the photometric interpretation, the usual one where none is stated that is defined."""
    stated = text_of(dataset, "PhotometricInterpretation").upper()
    if stated in _PHOTOMETRIC:
        return stated, ()
    assumed = "MONOCHROME2" if samples == 1 else "RGB"
    text = f"Photometric Interpretation is {stated[:32]!r}; taken for {assumed}."
    return assumed, (Note("photometric_assumed", text),)


def _frames(dataset: Dataset) -> tuple[int, tuple[Note, ...]]:
    """Return the number of frames, one where the attribute says none or nonsense."""
    stated = value_of(dataset, "NumberOfFrames")
    number = whole_of(dataset, "NumberOfFrames")
    if number is not None and number >= 1:
        return number, ()
    if stated is None and number is None and "NumberOfFrames" not in dataset:
        return 1, ()
    text = f"Number of Frames is {text_of(dataset, 'NumberOfFrames')[:32]!r}; taken for 1."
    return 1, (Note("frames_assumed", text),)


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
) -> Iterator[Frame]:
    """Decode the frames one by one.

    half: JPEG 2000 at half resolution, interpolated; ask ``hoseg.dicom.halve.may_halve`` first

    Raises
    ------
    InputError: unsupported, truncated, corrupt, out_of_memory
    """
    syntax = UID(str(dataset.file_meta.get("TransferSyntaxUID", "")))
    value = value_of(dataset, layout.keyword)
    value = value if isinstance(value, bytes) else b""
    compressed = _is_compressed(value, syntax, layout)
    if not _is_known(syntax, compressed, value):
        text = f"Transfer Syntax UID {syntax} is not supported; convert it with dcmdjpeg or dcmconv"
        raise source.fail(Reason.UNSUPPORTED, text)
    if not compressed:
        _check_length(value, layout, source)
    try:
        if compressed:
            yield from _decode_coded(value, dataset, layout, half)
        else:
            yield from _decode_native(value, dataset, layout)
    except MemoryError as error:
        raise source.fail(Reason.OUT_OF_MEMORY, "not enough memory to decode") from error
    except Truncated as error:
        text = f"the pixel data is cut off ({error}); the file was not copied completely"
        raise source.fail(Reason.TRUNCATED, text) from error
    except DECODE_ERRORS as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        text = f"the pixel data cannot be decoded ({lines[-1].strip()[:200]}); export it again"
        raise source.fail(Reason.CORRUPT, text) from error


def _is_compressed(value: bytes, syntax: UID, layout: Layout) -> bool:
    """Whether pixel data is compressed: what it looks like decides against the transfer syntax."""
    if syntax in _NATIVE_SYNTAXES or layout.keyword != "PixelData":
        return False
    return value.startswith(ITEM) or coding_of(value) is not None or len(value) < layout.all_bytes


def _is_known(syntax: UID, compressed: bool, value: bytes) -> bool:
    if syntax in _NATIVE_SYNTAXES or syntax in CODINGS:
        return True
    # A private or mistyped UID: what the bytes are decides, if they are anything.
    return not syntax.is_transfer_syntax and compressed and _first_coding(value) is not None


def _first_coding(value: bytes) -> Coding | None:
    try:
        return coding_of(next(frames_of(value, 1)))
    except (StopIteration, ValueError):
        return None


def _check_length(value: bytes, layout: Layout, source: Source) -> None:
    """Compare uncompressed pixel data with its claimed size before anything is allocated."""
    expected = layout.all_bytes
    if layout.photometric == "YBR_FULL_422":
        expected = expected * 2 // 3
    if len(value) < expected:
        text = f"pixel data has {len(value)} of {expected} bytes"
        raise source.fail(Reason.TRUNCATED, f"{text}; the file was not copied completely")


def _decode_native(value: bytes, dataset: Dataset, layout: Layout) -> Iterator[Frame]:
    syntax = UID(str(dataset.file_meta.get("TransferSyntaxUID", "")))
    notes: tuple[Note, ...] = ()
    if syntax not in _NATIVE_SYNTAXES:
        text = f"The transfer syntax ({syntax.name}) says compressed, the pixel data is not."
        notes, syntax = (Note("transfer_syntax_contradicts", text),), ExplicitVRLittleEndian
    options: dict[str, Any] = {
        "rows": layout.rows,
        "columns": layout.columns,
        "number_of_frames": layout.frames,
        "samples_per_pixel": layout.samples,
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.bits_stored,
        "pixel_representation": int(layout.signed),
        "photometric_interpretation": layout.photometric,
        "planar_configuration": whole_of(dataset, "PlanarConfiguration") or 0,
        "pixel_keyword": layout.keyword,
        "pixel_vr": dataset[layout.keyword].VR,
        "view_only": layout.bits_allocated >= 8,
        "correct_unused_bits": False,
    }
    frames = get_decoder(syntax).iter_array(value, raw=True, **options)
    for _, (pixels, properties) in zip(range(layout.frames), frames, strict=False):
        if not pixels.dtype.isnative:
            pixels = pixels.astype(pixels.dtype.newbyteorder("="))
        pixels, more = keep_stored_bits(pixels, layout)
        photometric = str(properties["photometric_interpretation"])
        yield Frame(pixels, photometric, layout.bits_stored, notes + more)


def _decode_coded(value: bytes, dataset: Dataset, layout: Layout, half: bool) -> Iterator[Frame]:
    syntax = UID(str(dataset.file_meta.get("TransferSyntaxUID", "")))
    stated = CODINGS.get(syntax, Coding.NATIVE)
    wanted = FrameSize(
        layout.rows, layout.columns, layout.samples, layout.bits_allocated, coding=stated
    )
    tables = [value_of(dataset, f"ExtendedOffsetTable{part}") for part in ("", "Lengths")]
    extended = (tables[0], tables[1]) if all(isinstance(t, bytes) for t in tables) else None
    coded = list(frames_of(value, layout.frames, extended))
    notes: tuple[Note, ...] = ()
    if not coded:
        raise Truncated("there is no frame in it")
    if len(coded) != layout.frames:
        text = f"Number of Frames says {layout.frames}, the pixel data holds {len(coded)}."
        notes = (Note("frames_contradict", text),)
    for frame in coded[: layout.frames]:
        decoded = decode_frame(frame, wanted, layout.photometric, half)
        if decoded.size.coding in (Coding.RLE, Coding.NATIVE):
            samples = decoded.samples
            if layout.signed:
                samples = samples.view(samples.dtype.str.replace("u", "i"))
            pixels, more = keep_stored_bits(samples, layout)
            bits = layout.bits_stored
        else:
            pixels, bits, more = follow_codestream(decoded, dataset, layout)
        yield Frame(pixels, decoded.photometric, bits, notes + decoded.notes + more)


def follow_codestream(
    decoded: Decoded, dataset: Dataset, layout: Layout
) -> tuple[Pixels, int, tuple[Note, ...]]:
    """Give decoded samples the sign that the attributes state and the precision of their stream.

    A codestream knows its precision; Bits Stored and High Bit are copies that programs forget to
    change. Whether samples are signed only Pixel Representation knows: JPEG and JPEG-LS carry
    two's complement as if it were unsigned, and so do many JPEG 2000 encoders.

    Returns
    -------
    pixels: (H, W) or (H, W, 3)
    bits: precision that holds for them
    notes: ``precision_contradicts``, ``unused_bits_removed``
    """
    pixels, bits = decoded.samples, decoded.size.bits
    width = 8 * pixels.dtype.itemsize
    if layout.signed and pixels.dtype.kind == "u":
        pixels = _with_sign(pixels, bits, layout.bits_stored)
    elif not layout.signed and pixels.dtype.kind == "i":
        pixels = pixels.view(f"u{pixels.dtype.itemsize}") & ((1 << bits) - 1)
    if bits == width > layout.bits_stored and _has_overlay_bits(dataset, layout.bits_stored):
        pixels, notes = keep_stored_bits(pixels, replace(layout, high_bit=layout.bits_stored - 1))
        return pixels, layout.bits_stored, notes
    low, high = _range(layout.bits_stored, layout.signed)
    if decoded.lossy and layout.bits_stored < bits:
        pixels = _without_overshoot(pixels, low, high)
    fits = low <= int(pixels.min()) and int(pixels.max()) <= high
    if fits and layout.high_bit == layout.bits_stored - 1:
        return pixels, layout.bits_stored, ()
    text = (
        f"The codestream has {bits} bits; Bits Stored says {layout.bits_stored}, High Bit "
        f"{layout.high_bit}. The codestream is followed."
    )
    stored = layout.bits_stored if fits else bits
    return pixels, stored, (Note("precision_contradicts", text),)


def _without_overshoot(pixels: Pixels, low: int, high: int) -> Pixels:
    """Clip what a lossy codec put a little beyond the range; much of it is a range of its own."""
    slack = (high - low + 1) // _OVERSHOOT_PART
    if low - slack <= int(pixels.min()) and int(pixels.max()) <= high + slack:
        return np.clip(pixels, low, high)
    return pixels


def _with_sign(pixels: Pixels, bits: int, bits_stored: int) -> Pixels:
    """Read unsigned samples of a precision as two's complement."""
    width = 8 * pixels.dtype.itemsize
    signed = pixels.view(f"i{pixels.dtype.itemsize}")
    if bits == width and bits_stored < bits and int(signed.min()) >= 0:
        # Every bit was coded, and those above Bits Stored may have been left empty.
        left_empty = (1 << (bits_stored - 1)) <= int(signed.max()) < (1 << bits_stored)
        bits = bits_stored if left_empty else bits
    up = width - bits
    return (signed << up) >> up if up else signed


def _has_overlay_bits(dataset: Dataset, bits_stored: int) -> bool:
    """Whether an overlay is declared in unused bits of the pixels (PS3.3 C.9.2, retired)."""
    elements = (dataset.get((0x6000 + 2 * n, 0x0102)) for n in range(16))
    places = [element.value for element in elements if element is not None]
    return any(isinstance(place, int) and place >= bits_stored for place in places)


def _range(bits: int, signed: bool) -> tuple[int, int]:
    low = -(1 << (bits - 1)) if signed else 0
    return low, low + (1 << bits) - 1


def keep_stored_bits(pixels: Pixels, layout: Layout) -> tuple[Pixels, tuple[Note, ...]]:
    """Bring uncompressed values into the range of Bits Stored; the array itself where they are.

    Unused high bits may hold an overlay (PS3.5 8.1.1, retired) and are cut off.
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
    low, high = _range(layout.bits_stored, signed)
    if int(pixels.max()) <= high and (not signed or low <= int(pixels.min())):
        return pixels, ()
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
