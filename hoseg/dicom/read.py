"""From bytes to a DICOM dataset, whatever the bytes are."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from functools import cache
from pathlib import PurePath

from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSNearLossless,
)

from hoseg.dicom.fragments import delimited
from hoseg.dicom.source import Limits, Source
from hoseg.dicom.values import CONVERSION_ERRORS
from hoseg.reasons import Reason

# What pydicom raises on damaged bytes: measured on mutated files (scripts/fuzz_dicom.py).
PARSE_ERRORS = (InvalidDicomError, zlib.error, *CONVERSION_ERRORS)

_KEYWORDS = """
SpecificCharacterSet ImageType SOPClassUID SOPInstanceUID StudyDate Modality PresentationIntentType
StudyDescription SeriesDescription ManufacturerModelName ViewName AnatomicRegionSequence
PrimaryAnatomicStructureSequence ViewCodeSequence ViewModifierCodeSequence
PatientID PatientAge PatientSex PatientBirthDate PatientSpeciesDescription
PatientSpeciesCodeSequence
PatientBreedDescription ResponsibleOrganization
BodyPartExamined ProtocolName ViewPosition ImagerPixelSpacing DistanceSourceToDetector
DistanceSourceToPatient EstimatedRadiographicMagnificationFactor TableHeight
DetectorActiveShape PositionerType PatientPosition AcquisitionDeviceProcessingDescription
ShutterShape ShutterLeftVerticalEdge ShutterRightVerticalEdge ShutterUpperHorizontalEdge
ShutterLowerHorizontalEdge CenterOfCircularShutter RadiusOfCircularShutter
VerticesOfThePolygonalShutter
StudyInstanceUID SeriesInstanceUID PatientOrientation Laterality ImageLaterality
RequestedProcedureDescription PerformedProcedureStepDescription
SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames Rows Columns
PixelSpacing PixelAspectRatio BitsAllocated BitsStored HighBit PixelRepresentation
PixelPaddingValue PixelPaddingRangeLimit NominalScannedPixelSpacing
PixelIntensityRelationship PixelIntensityRelationshipSign PixelSpacingCalibrationType
PixelSpacingCalibrationDescription QualityControlImage BurnedInAnnotation
WindowCenter WindowWidth VOILUTFunction RescaleIntercept RescaleSlope RescaleType
RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor
BluePaletteColorLookupTableDescriptor RedPaletteColorLookupTableData
GreenPaletteColorLookupTableData BluePaletteColorLookupTableData
ModalityLUTSequence VOILUTSequence PresentationLUTShape
SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence
ExtendedOffsetTable ExtendedOffsetTableLengths PixelData FloatPixelData DoubleFloatPixelData
"""
_PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


@cache
def wanted_tags() -> tuple[int, ...]:
    """Return the tags that hoseg looks at; the rest of a file is stepped over, not kept.

    Overlays (repeating groups 60xx): bits and bit position only, PS3.3 C.9.2.
    """
    tags = [tag_for_keyword(keyword) for keyword in _KEYWORDS.split()]
    overlays = [
        (0x6000 + 2 * n) << 16 | element
        for n in range(16)
        for element in (0x0010, 0x0011, 0x0040, 0x0050, 0x0100, 0x0102)
    ]
    return tuple(tag for tag in tags if tag is not None) + tuple(overlays)


@cache
def silence_warnings() -> None:
    """Keep pydicom and Pillow off the terminal: what matters becomes an error or a note."""
    warnings.filterwarnings("ignore", module=r"(pydicom|PIL)\b")


def looks_like_dicom(data: bytes) -> bool:
    """Tell DICOM by its prefix or, without file meta, by a first element of group 2 or 8."""
    if data[128:132] == b"DICM":
        return True
    if len(data) < 16:
        return False
    little, big = struct.unpack("<HH", data[:4]), struct.unpack(">HH", data[:4])
    return any(group in (0x0002, 0x0008) and element <= 0x0020 for group, element in (little, big))


def parse(data: bytes, source: Source, limits: Limits) -> Dataset:
    """Parse a DICOM file, with or without preamble and file meta.

    Parameters
    ----------
    data: the whole file
    source: for messages
    limits: what may be read

    Returns
    -------
    Dataset of the elements hoseg needs; ``file_meta.TransferSyntaxUID`` is always set

    Raises
    ------
    InputError: not_an_image, not_dicom, corrupt, too_large
    """
    if not looks_like_dicom(data):
        if PurePath(source.member or source.path).suffix.lower() in (".dcm", ".dicom", ".ima"):
            text = "named like DICOM but does not begin like it; was it copied completely?"
            raise source.fail(Reason.NOT_DICOM, text)
        raise source.fail(Reason.NOT_AN_IMAGE, "neither DICOM nor PNG, TIFF or JPEG")
    silence_warnings()
    try:
        dataset = _parse_inflated(data, source, limits)
        if dataset is None:
            dataset = read_elements(data, list(wanted_tags()))
        _set_transfer_syntax(dataset)
    except MemoryError as error:
        raise source.fail(Reason.OUT_OF_MEMORY, "not enough memory to parse the file") from error
    except PARSE_ERRORS as error:
        text = f"cannot be parsed as DICOM ({type(error).__name__}: {error}); export it again"
        raise source.fail(Reason.CORRUPT, text) from error
    return dataset


def read_elements(data: bytes, tags: list[int] | None = None) -> Dataset:
    """Read the elements of a file, its pixel data too where nothing delimits it.

    tags: which elements; None = all
    """
    dataset = dcmread(io.BytesIO(data), force=True, specific_tags=tags)
    if not any(keyword in dataset for keyword in _PIXEL_KEYWORDS):
        mended = delimited(data)
        if mended is not None:
            dataset = dcmread(io.BytesIO(mended), force=True, specific_tags=tags)
    return dataset


def _parse_inflated(data: bytes, source: Source, limits: Limits) -> Dataset | None:
    """Parse a deflated file within the size limit; None when the file is not deflated.

    pydicom inflates without a limit, so a 2 MB file could claim all memory.
    """
    if data[128:132] != b"DICM" or str(DeflatedExplicitVRLittleEndian).encode() not in data[:1024]:
        return None
    stream = io.BytesIO(data)
    stream.seek(132)
    meta = FileMetaDataset(read_dataset(stream, False, True, stop_when=_after_meta))
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return None
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    plain = engine.decompress(stream.read(), limits.file_bytes)
    if engine.unconsumed_tail:
        text = f"inflates to more than {limits.file_bytes} bytes (Limits.file_bytes)"
        raise source.fail(Reason.TOO_LARGE, text)
    dataset = read_dataset(io.BytesIO(plain), False, True, specific_tags=list(wanted_tags()))
    dataset.file_meta = meta
    return dataset


def _after_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag.group != 2


def _set_transfer_syntax(dataset: Dataset) -> None:
    """Fill in a missing transfer syntax from how the bytes were written."""
    meta = getattr(dataset, "file_meta", None)
    if meta is None:
        meta = dataset.file_meta = FileMetaDataset()
    stated = meta.get("TransferSyntaxUID")
    native = {ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, None, ""}
    if stated not in native:
        return
    pixels = dataset.get_item(0x7FE00010)
    value = getattr(pixels, "value", None)
    if isinstance(value, bytes) and value[:4] == b"\xfe\xff\x00\xe0":
        meta.TransferSyntaxUID = sniff_codestream(value)
    elif not stated:
        implicit, little = dataset.original_encoding
        plain = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        meta.TransferSyntaxUID = plain if little else ExplicitVRBigEndian


def sniff_codestream(encapsulated: bytes) -> UID:
    """Name a transfer syntax for encapsulated pixel data whose file does not.

    The first marker decides between JPEG 2000 and the JPEG family, the frame header within it.
    """
    start = encapsulated.find(b"\xff\xd8\xff")
    wavelet = encapsulated.find(b"\xff\x4f\xff\x51")
    if wavelet >= 0 and (start < 0 or wavelet < start):
        return JPEG2000
    for position in range(max(start, 0), min(len(encapsulated), start + 65536) - 1):
        if encapsulated[position] == 0xFF:
            syntax = _SYNTAX_OF_FRAME.get(encapsulated[position + 1])
            if syntax is not None:
                return syntax
    return JPEGBaseline8Bit


_SYNTAX_OF_FRAME = {
    0xC0: JPEGBaseline8Bit,
    0xC1: JPEGExtended12Bit,
    0xC3: JPEGLosslessSV1,
    0xF7: JPEGLSNearLossless,
}
