"""What other people's programs do to films, one kind a function, with what must come of it.

A film of known pixels, millimetres, side and orientation (``film_encoders``) is written with some
of the kinds below and read by ``hoseg.dicom.decode``. What was read must be the film, or be
refused with a reason code, or carry a note of what contradicts.

Pixels are told apart from attributes: ``CONTAINERS`` change how the bytes lie, ``PIXEL_MODULE``
what the attributes say of them; ``SPACINGS``, ``SIDES``, ``ORIENTATIONS`` and ``DISPLAYS`` follow.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from film_encoders import NATIVE, Coded, deflate
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from hoseg.dicom import Limits, Source, decode
from hoseg.errors import InputError
from hoseg.imaging.display import display
from hoseg.radiograph import Orientation, Radiograph, Side, SpacingSource, View
from hoseg.reasons import Reason

ITEM, DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0"
MARKED = frozenset(
    {
        uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1,
        uid.JPEGLSLossless, uid.JPEGLSNearLossless, uid.JPEG2000Lossless, uid.JPEG2000,
        uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K,
    }
)  # fmt: skip
"""Syntaxes whose frames end with a mark."""


@dataclass
class Film:
    """A film on its way into a file, and what is to be read from it.

    coded: the film
    ds: attributes without pixel data
    frames: codestreams
    syntax: as the file says it
    parts: fragments of a frame
    offsets: Basic Offset Table
    tail: what follows the last fragment
    after: bytes behind everything
    bare: without preamble and file meta
    wanted: codes of notes that must be there
    may: what may happen instead of being read: reason codes
    must: the film must be refused
    truth: (H, W) float, the pixels to be read
    hip_mm, side: the truth
    orientation: how the film lies; None = not as a frontal film
    written: bytes of the whole file, for kinds that change those
    """

    coded: Coded
    ds: Dataset
    frames: list[bytes]
    syntax: UID
    truth: np.ndarray
    parts: int = 1
    offsets: bytes = b""
    tail: bytes = DELIMITER
    after: bytes = b""
    bare: bool = False
    native: bool = False
    cut: float = 1.0
    wanted: set[str] = field(default_factory=set)
    may: set[str] = field(default_factory=set)
    must: bool = False
    hip_mm: float = 0.15
    side: Side = Side.LEFT
    orientation: Orientation | None = field(default_factory=Orientation)
    may_lack_spacing: bool = False
    padding: int | None = None
    view: View = View.AP_HIP
    age: str = ""

    @property
    def is_marked(self) -> bool:
        return self.coded.syntax in MARKED

    def replace(self, keyword: str, vr: str, text: bytes) -> None:
        """Put the raw text of an element into the file, whatever its VR allows."""
        from pydicom.dataelem import RawDataElement
        from pydicom.tag import Tag

        tag = Tag(keyword)
        text += b" " * (len(text) % 2)
        self.ds[tag] = RawDataElement(tag, vr, len(text), text, 0, False, True)


def make_film(coded: Coded, rng: np.random.Generator) -> Film:
    """A film with attributes that are right and complete."""
    ds = Dataset()
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    ds.SOPInstanceUID, ds.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.2"
    ds.Modality, ds.BodyPartExamined, ds.ViewPosition = "CR", "HIP", "AP"
    ds.Rows, ds.Columns = coded.truth.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = 8 if coded.bits <= 8 else 16
    ds.BitsStored, ds.HighBit = coded.bits, coded.bits - 1
    ds.PixelRepresentation = int(coded.signed)
    film = Film(coded, ds, [coded.frame], coded.syntax, coded.truth.astype(np.float64))
    film.native = coded.syntax in NATIVE
    film.side = Side.LEFT if rng.random() < 0.5 else Side.RIGHT
    return film


Kind = Callable[[Film, np.random.Generator], bool | None]
"""Changes a film; False where it does not apply to it."""


# Containers: how the bytes lie.


def plain(film: Film, rng: np.random.Generator) -> None:
    """Nothing is wrong."""


def no_delimiter(film: Film, rng: np.random.Generator) -> bool | None:
    if film.native:
        return False
    trailing = b"\xfc\xff\xfc\xffOB\0\0\x04\0\0\0\0\0\0\0"
    film.tail = (b"", bytes(8), bytes(32), trailing)[int(rng.integers(4))]
    return None


def fragments(film: Film, rng: np.random.Generator) -> bool | None:
    if film.native or film.coded.syntax == uid.RLELossless:
        return False
    film.parts = int(rng.integers(2, 5))
    film.offsets = (b"", struct.pack("<I", 0), struct.pack("<I", 77))[int(rng.integers(3))]
    return None


def padding_behind_the_end(film: Film, rng: np.random.Generator) -> bool | None:
    if film.native:
        return False
    padding = (bytes(2), bytes(30), b"\xff" * 4, b"    ")[int(rng.integers(4))]
    film.frames[0] += b"\0" * (len(film.frames[0]) % 2) + padding
    return None


def no_end_mark(film: Film, rng: np.random.Generator) -> bool | None:
    if not film.is_marked or not film.frames[0].rstrip(b"\0").endswith(b"\xff\xd9"):
        return False
    film.frames[0] = film.frames[0].rstrip(b"\0")[:-2]
    film.wanted.add("no_end_marker")
    # The last coded byte and a padding zero look alike: what then cannot be told is refused.
    film.may |= {Reason.TRUNCATED}
    return None


def cut_stream(film: Film, rng: np.random.Generator) -> bool | None:
    if film.native:
        return False
    frame = film.frames[0]
    film.frames[0] = frame[: int(rng.uniform(0.02, 0.97) * len(frame))]
    film.must = True
    return None


def cut_stream_with_an_end_mark(film: Film, rng: np.random.Generator) -> bool | None:
    if not film.is_marked:
        return False
    cut_stream(film, rng)
    film.frames[0] = film.frames[0].rstrip(b"\xff") + b"\xff\xd9"
    return None


def cut_file(film: Film, rng: np.random.Generator) -> bool | None:
    if film.coded.syntax == uid.DeflatedExplicitVRLittleEndian:
        return False
    film.cut = float(rng.uniform(0.05, 0.97))
    film.must = True
    return None


def another_syntax(film: Film, rng: np.random.Generator) -> bool | None:
    if film.native:
        return False
    others = sorted({*MARKED, uid.RLELossless} - {film.syntax})
    film.syntax = UID(others[int(rng.integers(len(others)))])
    wavelets = {uid.JPEG2000, uid.JPEG2000Lossless, uid.HTJ2K, uid.HTJ2KLossless}
    wavelets.add(uid.HTJ2KLosslessRPCL)
    groups = (
        wavelets,
        {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit},
        {uid.JPEGLossless, uid.JPEGLosslessSV1},
        {uid.JPEGLSLossless, uid.JPEGLSNearLossless},
    )
    if not any({film.syntax, film.coded.syntax} <= group for group in groups):
        film.wanted.add("transfer_syntax_contradicts")
    return None


def private_syntax(film: Film, rng: np.random.Generator) -> bool | None:
    if film.native:
        return False
    film.syntax = UID("1.2.840.99999.4.70")
    film.wanted.add("transfer_syntax_contradicts")
    return None


def native_under_a_compressed_syntax(film: Film, rng: np.random.Generator) -> bool | None:
    if film.syntax != uid.ExplicitVRLittleEndian:
        return False
    film.syntax = (uid.JPEGLosslessSV1, uid.JPEG2000, uid.RLELossless)[int(rng.integers(3))]
    film.wanted.add("transfer_syntax_contradicts")
    return None


def native_in_a_fragment(film: Film, rng: np.random.Generator) -> bool | None:
    if film.syntax != uid.ExplicitVRLittleEndian:
        return False
    film.native, film.syntax = False, uid.JPEGLSLossless
    film.wanted.add("transfer_syntax_contradicts")
    return None


def rle_padding(film: Film, rng: np.random.Generator) -> bool | None:
    if film.coded.syntax != uid.RLELossless:
        return False
    pad = (b" ", b"\xff", b"\x7f\x7f", bytes(16), b"\x81")[int(rng.integers(5))]
    frame = film.frames[0]
    count, *offsets = struct.unpack_from("<16I", frame)
    ends = [*offsets[1:count], len(frame)]
    segments = [frame[a:b] + pad for a, b in zip(offsets, ends, strict=False)]
    starts = np.cumsum([64, *map(len, segments)])[:count]
    header = [count, *(int(s) for s in starts), *[0] * (15 - count)]
    film.frames[0] = struct.pack("<16I", *header) + b"".join(segments)
    return None


def without_meta(film: Film, rng: np.random.Generator) -> bool | None:
    if film.syntax in (uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian):
        return False
    film.bare = True  # the encoding must then be told by the bytes
    if film.coded.syntax == uid.RLELossless:
        return False
    return None


def bytes_behind(film: Film, rng: np.random.Generator) -> bool | None:
    if film.coded.syntax == uid.DeflatedExplicitVRLittleEndian:
        return False
    film.after = bytes(int(rng.integers(1, 600)))
    return None


CONTAINERS: tuple[Kind, ...] = (
    plain, no_delimiter, fragments, padding_behind_the_end, no_end_mark, cut_stream,
    cut_stream_with_an_end_mark, cut_file, another_syntax, private_syntax,
    native_under_a_compressed_syntax, native_in_a_fragment, rle_padding, without_meta, bytes_behind,
)  # fmt: skip


# The image pixel module: what the attributes say of the samples.


def high_bit(film: Film, rng: np.random.Generator) -> bool | None:
    if film.coded.syntax in (*NATIVE, uid.RLELossless):
        return False  # there it says where the samples lie, and is believed
    state = int(rng.integers(3))
    if state == 0:
        del film.ds.HighBit
    elif state == 1:
        film.ds.HighBit = 15
    else:
        film.ds.HighBit = int(rng.integers(0, 16))
    if state and film.ds.HighBit != film.coded.bits - 1:
        film.wanted.add("precision_contradicts")
    return None


def bits_stored(film: Film, rng: np.random.Generator) -> bool | None:
    if film.coded.syntax in (*NATIVE, uid.RLELossless):
        return False
    if film.coded.signed and film.coded.encoder == "DCMTK":
        return False  # its codestreams have 16 bits whatever the samples have: nothing tells
    state = int(rng.integers(3))
    if state == 0:
        del film.ds.BitsStored
    else:
        stored = film.coded.bits + int(rng.choice([-3, -2, -1, 1, 2]))
        film.ds.BitsStored = min(max(stored, 1), int(film.ds.BitsAllocated))
        film.ds.HighBit = film.ds.BitsStored - 1
    return None


def left_justified(film: Film, rng: np.random.Generator) -> bool | None:
    """Samples in the upper bits of their cell, as High Bit says: legal for uncompressed pixels."""
    if film.syntax != uid.ExplicitVRLittleEndian or film.coded.bits in (8, 16):
        return False
    cells = np.frombuffer(film.frames[0], "<u2") << (16 - film.coded.bits)
    film.frames[0] = cells.tobytes()
    film.ds.HighBit = 15
    return None


def overlay_in_unused_bits(film: Film, rng: np.random.Generator) -> bool | None:
    if film.syntax != uid.ExplicitVRLittleEndian or film.coded.bits in (8, 16):
        return False
    cells = np.frombuffer(film.frames[0], "<u2").copy()
    cells[rng.random(cells.shape) < 0.1] |= 1 << 15
    film.frames[0] = cells.tobytes()
    film.wanted.add("unused_bits_removed")
    return None


def other_pixel_representation(film: Film, rng: np.random.Generator) -> bool | None:
    """Signed films that say unsigned and the reverse: the attribute alone can tell."""
    film.ds.PixelRepresentation = 1 - film.ds.PixelRepresentation
    span = 1 << film.coded.bits
    carried = film.truth % span
    half = span // 2
    film.truth = (
        carried if film.coded.signed else np.where(carried >= half, carried - span, carried)
    )
    return None


def photometric(film: Film, rng: np.random.Generator) -> None:
    state = int(rng.integers(3))
    if state == 0:
        film.ds.PhotometricInterpretation = "monochrome2"
        return
    if state == 1:
        del film.ds.PhotometricInterpretation
    else:
        film.ds.PhotometricInterpretation = ("GREY", "")[int(rng.integers(2))]
    film.wanted.add("photometric_assumed")


def samples_per_pixel(film: Film, rng: np.random.Generator) -> None:
    del film.ds.SamplesPerPixel
    film.ds.PlanarConfiguration = int(rng.integers(0, 3))


def number_of_frames(film: Film, rng: np.random.Generator) -> None:
    text = (b"0", b"-1", b"", b"one", b"1")[int(rng.integers(5))]
    film.replace("NumberOfFrames", "IS", text)
    if text != b"1":
        film.wanted.add("frames_assumed")


def more_frames_than_there_are(film: Film, rng: np.random.Generator) -> bool | None:
    film.ds.NumberOfFrames = 3
    if film.syntax in NATIVE:  # the frames that are missing are bytes that are missing
        film.must = True
    film.wanted.add("frames_contradict")
    return None


def rescale(film: Film, rng: np.random.Generator) -> None:
    slope, intercept = float(rng.choice([1, 2, 0.5, -1])), float(rng.choice([0, -1024, 7]))
    comma = rng.random() < 0.3
    film.replace("RescaleSlope", "DS", _text(slope, comma))
    film.replace("RescaleIntercept", "DS", _text(intercept, comma))
    film.truth = film.truth * slope + intercept


def useless_rescale(film: Film, rng: np.random.Generator) -> None:
    film.replace("RescaleSlope", "DS", (b"0", b"1e12")[int(rng.integers(2))])
    film.ds.RescaleIntercept = 5
    film.wanted.add("rescale_ignored")


def padding_value(film: Film, rng: np.random.Generator) -> bool | None:
    """The black corner is padding; signed values may be written as if unsigned."""
    if film.coded.tolerance or film.coded.syntax == uid.JPEGLSNearLossless:
        return False
    corner = int(film.truth[0, 0])
    low, vr = (corner, "SS") if film.coded.signed and rng.random() < 0.5 else (corner % 65536, "US")
    film.ds.add_new("PixelPaddingValue", vr, low)
    film.padding = corner
    return None


PIXEL_MODULE: tuple[Kind, ...] = (
    high_bit, bits_stored, left_justified, overlay_in_unused_bits, other_pixel_representation,
    photometric, samples_per_pixel, number_of_frames, more_frames_than_there_are, rescale,
    useless_rescale, padding_value,
)  # fmt: skip


def _text(number: float, comma: bool) -> bytes:
    text = f"{number:.6g}"
    return (text.replace(".", ",") if comma else text).encode()


# Millimetres: stated in one way or another, absent, empty, wrong, contradictory.


def _pair(film: Film, keyword: str, mm: float, rng: np.random.Generator) -> None:
    comma = rng.random() < 0.3
    vr = "UT" if not comma and rng.random() < 0.2 else "DS"
    film.replace(keyword, vr, b"\\".join([_text(mm, comma)] * 2))
    if comma:
        film.wanted.add("decimal_comma")


def fiducial(film: Film, rng: np.random.Generator) -> None:
    _pair(film, "PixelSpacing", film.hip_mm, rng)
    film.ds.PixelSpacingCalibrationType = ("FIDUCIAL", "GEOMETRY")[int(rng.integers(2))]
    if rng.random() < 0.5:
        _pair(film, "ImagerPixelSpacing", film.hip_mm * 1.17, rng)


def magnified(film: Film, rng: np.random.Generator) -> None:
    factor = float(rng.uniform(1.05, 1.3))
    _pair(film, "ImagerPixelSpacing", film.hip_mm * factor, rng)
    if rng.random() < 0.5:
        film.replace("EstimatedRadiographicMagnificationFactor", "DS", _text(factor, False))
    else:
        film.replace("DistanceSourceToDetector", "DS", _text(1150.0, False))
        film.replace("DistanceSourceToPatient", "DS", _text(1150.0 / factor, False))


def imager_only(film: Film, rng: np.random.Generator) -> None:
    _pair(film, "ImagerPixelSpacing", film.hip_mm * 1.2, rng)
    film.wanted.add("magnification_assumed")


def pixel_spacing_of_no_type(film: Film, rng: np.random.Generator) -> None:
    _pair(film, "PixelSpacing", film.hip_mm * 1.2, rng)
    film.wanted |= {"spacing_untyped", "magnification_assumed"}


def two_spacings(film: Film, rng: np.random.Generator) -> None:
    _pair(film, "PixelSpacing", film.hip_mm, rng)
    _pair(film, "ImagerPixelSpacing", film.hip_mm * 1.2, rng)
    film.wanted |= {"spacing_contradicts", "magnification_assumed"}


def no_spacing(film: Film, rng: np.random.Generator) -> None:
    film.may_lack_spacing = True
    film.wanted.add("spacing_missing")
    texts = (None, b"", b"0\\0", b"-0.1\\-0.1", b"NaN\\NaN", b"0.15", b"abc\\abc", b"0,1,0,1")
    text = texts[int(rng.integers(len(texts)))]
    if text is not None:
        film.replace("ImagerPixelSpacing", "DS", text)
        if text:
            film.wanted.add("spacing_invalid")


def aspect_alone(film: Film, rng: np.random.Generator) -> None:
    film.may_lack_spacing = True
    film.ds.PixelAspectRatio = [1, 2]
    film.wanted.add("spacing_missing")


SPACINGS: tuple[Kind, ...] = (
    fiducial, magnified, imager_only, pixel_spacing_of_no_type, two_spacings, no_spacing,
    aspect_alone,
)  # fmt: skip


# Sides.


def _letter(side: Side) -> str:
    return {Side.LEFT: "L", Side.RIGHT: "R"}[side]


def image_laterality(film: Film, rng: np.random.Generator) -> None:
    keyword = ("ImageLaterality", "Laterality")[int(rng.integers(2))]
    letter = _letter(film.side)
    setattr(film.ds, keyword, (letter, letter.lower())[int(rng.integers(2))])


def two_lateralities_agree(film: Film, rng: np.random.Generator) -> None:
    film.ds.ImageLaterality = film.ds.Laterality = _letter(film.side)


def two_lateralities_contradict(film: Film, rng: np.random.Generator) -> None:
    letters = [_letter(film.side), _letter(film.side.opposite)]
    film.ds.ImageLaterality, film.ds.Laterality = letters[:: int(rng.choice([1, -1]))]
    film.wanted.add("side_contradicts")


def words_contradict(film: Film, rng: np.random.Generator) -> None:
    film.ds.Laterality = _letter(film.side.opposite)
    film.ds.SeriesDescription = f"Hip AP {film.side}"
    film.wanted.add("side_contradicts")


def words_alone(film: Film, rng: np.random.Generator) -> None:
    film.ds.SeriesDescription = f"Hip AP {film.side}"
    film.wanted.add("side_from_description")


def no_side(film: Film, rng: np.random.Generator) -> None:
    if rng.random() < 0.5:
        film.ds.Laterality = ("", "U", "X")[int(rng.integers(3))]
    film.wanted.add("side_missing")


SIDES: tuple[Kind, ...] = (
    image_laterality, two_lateralities_agree, two_lateralities_contradict, words_contradict,
    words_alone, no_side,
)  # fmt: skip


# Views, ages and UIDs.


def ap_words(film: Film, rng: np.random.Generator) -> None:
    words = ("AP SUPINE", "A.P.", "ap", "FRONTAL", "AP_PELVIS", "A/P", "ANTERO-POSTERIOR")
    film.ds.ViewPosition = words[int(rng.integers(len(words)))]
    film.view = View.AP_PELVIS if "PELVIS" in film.ds.ViewPosition else View.AP_HIP


def other_views(film: Film, rng: np.random.Generator) -> None:
    words = ("PA", "LATERAL", "AP OBLIQUE", "LL", "AXIAL", "RLO")
    film.ds.ViewPosition = words[int(rng.integers(len(words)))]
    film.view = View.OTHER
    film.wanted.add("view_other")


def no_view(film: Film, rng: np.random.Generator) -> None:
    film.ds.ViewPosition = ""
    film.view = View.UNKNOWN
    if "SeriesDescription" not in film.ds:
        film.wanted.add("view_missing")


def ages(film: Film, rng: np.random.Generator) -> None:
    film.ds.StudyDate = "20200614"
    stated, born, film.age, contradicts = (
        ("000Y", "19500101", "070Y", True),
        ("53Y", "", "053Y", False),
        ("053", "19670101", "053Y", False),
        ("053Y", "19000101", "053Y", True),
        ("", "1950.01.01", "070Y", False),
        ("old", "", "", False),
    )[int(rng.integers(6))]
    film.replace("PatientAge", "AS", stated.encode())
    film.replace("PatientBirthDate", "DA", born.encode())
    if contradicts:
        film.wanted.add("age_contradicts")


def wrong_uids(film: Film, rng: np.random.Generator) -> None:
    keyword = ("StudyInstanceUID", "SOPInstanceUID", "SeriesInstanceUID")[int(rng.integers(3))]
    texts = (b"1.02.3", b"1." * 40 + b"1", b"1.2.x", b"../../etc/passwd")
    film.replace(keyword, "UI", texts[int(rng.integers(4))])
    film.wanted.add("uid_invalid")


FACTS: tuple[Kind, ...] = (plain, ap_words, other_views, no_view, ages, wrong_uids)


# Orientation: what Patient Orientation says of a film. The pixels are what they are: whether the
# picture agrees is the network's to see (tests/test_turned_films.py).


def turned_and_said(film: Film, rng: np.random.Generator) -> None:
    """Any of the eight turns and flips."""
    side = (Side.LEFT, Side.RIGHT)[int(rng.integers(2))]
    to_feet, transposed = bool(rng.integers(2)), bool(rng.integers(2))
    film.orientation = Orientation(side, to_feet, "attribute", transposed)
    letters = [_letter(side), "F" if to_feet else "H"]
    film.ds.PatientOrientation = letters[::-1] if transposed else letters


def oblique_and_said(film: Film, rng: np.random.Generator) -> None:
    """More letters than one: the first is the main direction (PS3.3 C.7.6.1.1.1)."""
    film.orientation = Orientation(source="attribute")
    film.ds.PatientOrientation = ["LA", "FP"]


def unusual_orientation(film: Film, rng: np.random.Generator) -> None:
    film.orientation = None
    words = (["A", "F"], ["P", "H"], ["L", "A"])
    film.ds.PatientOrientation = words[int(rng.integers(3))]
    film.wanted.add("orientation_unusual")


def no_orientation(film: Film, rng: np.random.Generator) -> None:
    if rng.random() < 0.5:
        film.replace("PatientOrientation", "CS", (b"", b"L", b"\\")[int(rng.integers(3))])
    film.wanted.add("orientation_assumed")


ORIENTATIONS: tuple[Kind, ...] = (
    turned_and_said, oblique_and_said, unusual_orientation, no_orientation,
)  # fmt: skip


# Display: windows and LUTs.


def useful_window(film: Film, rng: np.random.Generator) -> None:
    low, high = film.truth.min(), film.truth.max()
    film.replace("WindowCenter", "DS", _text((low + high) / 2, rng.random() < 0.3))
    film.replace("WindowWidth", "DS", _text(max(high - low, 2.0), False))


def useless_window(film: Film, rng: np.random.Generator) -> None:
    centre, width = [(1e6, 10), (-1e6, 10), (0, 0), (0, -5), (1e6, 1), (0, 1e9)][
        int(rng.integers(6))
    ]
    film.ds.WindowCenter, film.ds.WindowWidth = centre, width
    film.ds.VOILUTFunction = ("LINEAR", "LINEAR_EXACT", "SIGMOID", "other")[int(rng.integers(4))]


def voi_lut(film: Film, rng: np.random.Generator) -> None:
    """A ramp over the pixels whose first value may have the other sign; rising or falling."""
    low, high = int(film.truth.min()), int(film.truth.max())
    entries = min(high - low + 1, 65535)
    table = np.linspace(0, 65535, entries)[:: int(rng.choice([1, -1]))]
    if rng.random() < 0.2:
        table = table[: entries // 2]
        film.wanted.add("voi_lut_ignored")
    item = Dataset()
    vr = ("US", "SS")[int(rng.integers(2))]
    first = (low + 32768) % 65536 - 32768 if vr == "SS" else low % 65536
    item.add_new("LUTDescriptor", vr, [entries, first, 16])
    item.add_new("LUTData", "OW", table.astype("<u2").tobytes())
    film.ds.VOILUTSequence = Sequence([item])


DISPLAYS: tuple[Kind, ...] = (plain, useful_window, useless_window, voi_lut)

GROUPS: tuple[tuple[Kind, ...], ...] = (
    CONTAINERS, (plain, *PIXEL_MODULE), SPACINGS, SIDES, ORIENTATIONS, DISPLAYS, FACTS,
)  # fmt: skip


def write(film: Film) -> bytes:
    """The whole file as bytes."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = film.syntax
    meta.MediaStorageSOPClassUID = film.ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = film.ds.SOPInstanceUID
    head = io.BytesIO()
    if not film.bare:
        head.write(bytes(128) + b"DICM")
        pydicom.filewriter.write_file_meta_info(head, meta, enforce_standard=True)
    implicit = film.syntax == uid.ImplicitVRLittleEndian
    little = film.syntax != uid.ExplicitVRBigEndian
    body = pydicom.filebase.DicomBytesIO()
    body.is_implicit_VR, body.is_little_endian = implicit, little
    pydicom.filewriter.write_dataset(body, film.ds)
    rest = body.getvalue() + _pixel_data(film, implicit, little) + film.after
    if film.syntax == uid.DeflatedExplicitVRLittleEndian:
        rest = deflate(rest)
    data = head.getvalue() + rest
    start = len(head.getvalue()) + len(body.getvalue())
    return data if film.cut == 1.0 else data[: start + int(film.cut * (len(data) - start))]


def _pixel_data(film: Film, implicit: bool, little: bool) -> bytes:
    order = "<" if little else ">"
    tag = struct.pack(f"{order}HH", 0x7FE0, 0x0010)
    vr = b"" if implicit else (b"OW" if film.native else b"OB") + b"\0\0"
    if film.native:
        frame = film.frames[0]
        frame += b"\0" * (len(frame) % 2)
        return tag + vr + struct.pack(f"{order}I", len(frame)) + frame
    items = ITEM + struct.pack("<I", len(film.offsets)) + film.offsets
    for frame in film.frames:
        size = -(-len(frame) // film.parts)
        size += size % 2
        for start in range(0, len(frame), size):
            piece = frame[start : start + size]
            piece += b"\0" * (len(piece) % 2)
            items += ITEM + struct.pack("<I", len(piece)) + piece
    return tag + vr + b"\xff" * 4 + items + film.tail


# What was read against the truth. Each returns "" or what is wrong.


def check_pixels(film: Film, read: Radiograph) -> str:
    """Pixels equal those of the second decoder, or a note says what was contradictory."""
    got = read.pixels.astype(np.float64)
    if got.shape != film.truth.shape:
        return f"shape {got.shape} for {film.truth.shape}"
    slack = film.coded.tolerance * 2 + 1e-3 * np.abs(film.truth).max() * (got.dtype == np.float32)
    wrong = np.abs(got - film.truth) > slack + 1e-6 * np.abs(film.truth)
    return f"{wrong.mean():.1%} of the pixels differ" if wrong.any() else ""


def check_valid(film: Film, read: Radiograph) -> str:
    if film.padding is None:
        return "" if read.valid is None else "pixels were taken for padding"
    hidden = film.truth == film.padding
    ignored = any(note.code == "shutter_ignored" for note in read.notes)
    same = read.valid is not None and np.array_equal(~read.valid, hidden)
    return "" if same or ignored else "padding is not where it is"


def check_facts(film: Film, read: Radiograph) -> str:
    got = (read.view, read.attributes.patient_age)
    if any(note.code == "view_from_description" for note in read.notes):
        got = (film.view, got[1])
    return "" if got == (film.view, film.age) else f"{got} for {(film.view, film.age)}"


def check_spacing(film: Film, read: Radiograph) -> str:
    if read.spacing is None:
        return "" if film.may_lack_spacing else "the spacing was lost"
    if film.may_lack_spacing:
        return f"a spacing of {read.spacing.mm} was made up"
    if read.spacing.source in (SpacingSource.USER, SpacingSource.USER_OVERRIDE):
        return "the spacing of a user who said none"
    ratio = read.spacing.row_mm / film.hip_mm
    return "" if abs(ratio - 1) < 1e-3 else f"spacing wrong by {ratio - 1:+.1%}"


def check_side(film: Film, read: Radiograph) -> str:
    notes = {note.code for note in read.notes}
    if read.side is film.side or "side_contradicts" in notes:
        return ""
    if read.side is Side.UNKNOWN and "side_missing" in notes:
        return ""
    return f"side {read.side} for {film.side} without a word"


def check_orientation(film: Film, read: Radiograph) -> str:
    wrong = film.orientation is not None and read.orientation != film.orientation
    return f"{read.orientation} for {film.orientation}" if wrong else ""


def check_display(film: Film, read: Radiograph) -> str:
    """Neither black nor white nor flat, where the film itself is neither."""
    shown = display(read)
    if read.pixels.max() == read.pixels.min():
        return ""
    extreme = float(np.mean((shown == 0) | (shown == 255)))
    levels = len(np.unique(shown))
    return "" if extreme < 0.985 and levels > 8 else f"{extreme:.0%} black or white, {levels} greys"


CHECKS = (
    check_pixels, check_valid, check_spacing, check_side, check_orientation, check_display,
    check_facts,
)  # fmt: skip


RESULTS = ("read", "refused", "silent", "unnoted", "lost", "not refused", "traceback")
"""Read as it is; refused as it has to be. Faults: other than it is and nothing said; a note that
is missing; refused without need; read although it is cut off; another error than InputError."""


@dataclass(frozen=True)
class Outcome:
    """What came of one film.

    result: one of ``RESULTS``
    detail: reason code, or what was wrong
    """

    film: str
    kinds: tuple[str, ...]
    result: str
    detail: str = ""

    @property
    def is_fault(self) -> bool:
        return self.result not in RESULTS[:2]


def try_film(coded: Coded, rng: np.random.Generator, folder: Path) -> Outcome:
    """Write one film with some kinds, read it, and compare."""
    film = make_film(coded, rng)
    kinds = []
    for group in GROUPS:
        kind = group[int(rng.integers(len(group)))]
        if kind(film, rng) is not False and kind is not plain:
            kinds.append(kind.__name__)
    path = folder / "film.dcm"
    path.write_bytes(write(film))
    result, detail = judge(film, path)
    return Outcome(coded.name, tuple(kinds), result, detail)


def judge(film: Film, path: Path) -> tuple[str, str]:
    """Read a file and say what came of it."""
    try:
        frames = decode(Source(path, path.name), Limits())
    except InputError as error:
        allowed = film.must or error.code in film.may
        return ("refused", error.code) if allowed else ("lost", f"{error.code}: {error.sentence}")
    except Exception as error:
        return "traceback", f"{type(error).__name__}: {error}"
    if film.must:
        return "not refused", f"{[note.code for note in frames[0].notes]}"
    read = frames[0]
    codes = {note.code for note in read.notes}
    for check in CHECKS:
        if wrong := check(film, read):
            return "silent", f"{check.__name__}: {wrong}; notes {sorted(codes)}"
    if not film.wanted <= codes:
        return "unnoted", f"{sorted(film.wanted - codes)} not in {sorted(codes)}"
    return "read", ""
