"""Small films of known pixels, in every encoding that films come in, by more than one encoder.

What a lossy codestream holds is asked of a decoder that hoseg does not use: GDCM, DCMTK or Grok.
Encoders and decoders that are not installed are left out: ``missing()`` names them.
"""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pydicom
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import pixel_array
from pydicom.uid import UID

Pixels = np.ndarray


@dataclass(frozen=True)
class Coded:
    """One film in one encoding.

    syntax, encoder: which transfer syntax, by whom
    frame: the codestream; uncompressed pixels for a native syntax
    truth: (H, W) int64, what the film holds after decoding
    tolerance: grey levels that a decoder may differ by
    bits, signed: of the samples
    """

    syntax: UID
    encoder: str
    frame: bytes
    truth: Pixels
    tolerance: int
    bits: int
    signed: bool

    @property
    def name(self) -> str:
        return f"{self.syntax.name} by {self.encoder}"


def picture(rng: np.random.Generator, bits: int) -> Pixels:
    """(H, W) uint16: soft tissue with noise, a bone, saturated metal, and a black corner."""
    rows, columns = (int(n) for n in rng.integers(40, 90, 2))
    top = (1 << bits) - 1
    y, x = np.mgrid[:rows, :columns]
    soft = 0.3 + 0.15 * np.sin(y / rng.uniform(8, 20)) + 0.1 * np.cos(x / rng.uniform(8, 20))
    soft += 0.3 * (np.hypot(y - 0.4 * rows, x - 0.5 * columns) < 0.2 * rows)
    soft += rng.normal(0, 0.01, soft.shape)
    out = np.rint(np.clip(soft, 0, 1) * top)
    out[rows // 3 : rows // 2, columns // 4 : columns // 3] = top
    out[: rows // 8, : columns // 8] = 0
    return out.astype(np.uint16)


def with_sign(carried: Pixels, bits: int) -> Pixels:
    """Two's complement of ``bits`` bits, as whole numbers."""
    wide = carried.astype(np.int64)
    return np.where(wide >= 1 << (bits - 1), wide - (1 << bits), wide)


def _narrow(pixels: Pixels, bits: int) -> Pixels:
    return np.ascontiguousarray(pixels.astype(np.uint8 if bits <= 8 else np.uint16))


def _bare(pixels: Pixels, bits: int) -> Dataset:
    """An uncompressed CR image of unsigned pixels."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    ds.Rows, ds.Columns = pixels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8 * pixels.dtype.itemsize, bits, bits - 1
    ds.PixelRepresentation = 0
    data = pixels.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    return ds


def _by_dcmtk(program: str, *options: str) -> Callable[[Pixels, int], bytes]:
    """A program that turns one DICOM file into another."""

    def encode(pixels: Pixels, bits: int) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "in.dcm", Path(folder) / "out.dcm"
            _bare(pixels, bits).save_as(source, enforce_file_format=True)
            subprocess.run([program, *options, source, target], check=True, capture_output=True)
            return get_frame(pydicom.dcmread(target).PixelData, 0, number_of_frames=1)

    return encode


def _by_tool(suffix: str, *command: str) -> Callable[[Pixels, int], bytes]:
    """A program that turns a portable grey map into a codestream."""

    def encode(pixels: Pixels, bits: int) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "in.pgm", Path(folder) / f"out.{suffix}"
            _write_pgm(source, pixels, bits)
            arguments = [command[0], "-i", source, "-o", target, *command[1:]]
            subprocess.run(arguments, check=True, capture_output=True)
            return target.read_bytes()

    return encode


def _write_pgm(path: Path, pixels: Pixels, bits: int) -> None:
    header = f"P5\n{pixels.shape[1]} {pixels.shape[0]}\n{(1 << bits) - 1}\n".encode()
    path.write_bytes(header + pixels.astype(">u2" if bits > 8 else "u1").tobytes())


def _pillow(pixels: Pixels, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def _j2k(pixels: Pixels, bits: int, level: int) -> bytes:
    options = {"codecformat": "j2k", "bitspersample": bits, "reversible": level == 0}
    return bytes(imagecodecs.jpeg2k_encode(pixels, level=level, **options))


def _jpeg_ls(pixels: Pixels, bits: int, error: int) -> bytes:
    import jpeg_ls

    return bytes(jpeg_ls.encode_buffer(pixels.tobytes(), *pixels.shape, 1, bits, error))


def _lossless(pixels: Pixels, bits: int, predictor: int) -> bytes:
    options = {"lossless": True, "predictor": predictor, "bitspersample": bits}
    return bytes(imagecodecs.jpeg8_encode(pixels, **options))


def _rle(pixels: Pixels, bits: int) -> bytes:
    """Rows packed by imagecodecs, segments laid out by hand (PS3.5 Annex G)."""
    planes = pixels.astype(f">u{pixels.dtype.itemsize}").view(np.uint8)
    planes = planes.reshape(*pixels.shape, -1)
    segments = []
    for place in range(planes.shape[2]):
        rows = (np.ascontiguousarray(row).tobytes() for row in planes[:, :, place])
        packed = b"".join(bytes(imagecodecs.packbits_encode(row)) for row in rows)
        segments.append(packed + b"\0" * (len(packed) % 2))
    offsets = np.cumsum([64, *map(len, segments)])[:-1]
    header = [len(segments), *(int(n) for n in offsets)]
    return struct.pack("<16I", *header, *[0] * (16 - len(header))) + b"".join(segments)


def _rle_by_pydicom(pixels: Pixels, bits: int) -> bytes:
    ds = _bare(pixels, bits)
    ds.compress(uid.RLELossless, encoding_plugin="pydicom")
    return get_frame(ds.PixelData, 0, number_of_frames=1)


_ANY, _WIDE, _EIGHT, _TWELVE = range(8, 17), range(9, 17), (8,), (12,)
Encode = Callable[[Pixels, int], bytes]

# syntax, encoder, what it needs, the bits it takes, the function
ENCODERS: tuple[tuple[UID, str, str, tuple[int, ...] | range, Encode], ...] = (
    (uid.JPEGBaseline8Bit, "libjpeg-turbo", "", _EIGHT,
     lambda a, b: bytes(imagecodecs.jpeg8_encode(a, level=95))),
    (uid.JPEGBaseline8Bit, "Pillow", "", _EIGHT, lambda a, b: _pillow(a, "JPEG", quality=90)),
    (uid.JPEGBaseline8Bit, "Pillow with restarts", "", _EIGHT,
     lambda a, b: _pillow(a, "JPEG", quality=90, restart_marker_rows=1)),
    (uid.JPEGBaseline8Bit, "OpenCV", "", _EIGHT,
     lambda a, b: cv2.imencode(".jpg", a, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()),
    (uid.JPEGBaseline8Bit, "DCMTK", "dcmcjpeg", _EIGHT, _by_dcmtk("dcmcjpeg", "+eb", "+q", "90")),
    (uid.JPEGExtended12Bit, "libjpeg-turbo", "", _TWELVE,
     lambda a, b: bytes(imagecodecs.jpeg8_encode(a, level=97, bitspersample=12))),
    (uid.JPEGExtended12Bit, "DCMTK", "dcmcjpeg", _TWELVE,
     _by_dcmtk("dcmcjpeg", "+ee", "+q", "95")),
    (uid.JPEGLosslessSV1, "libjpeg-turbo", "", _ANY, lambda a, b: _lossless(a, b, 1)),
    (uid.JPEGLosslessSV1, "liblj92", "", _WIDE,
     lambda a, b: bytes(imagecodecs.ljpeg_encode(a, bitspersample=b))),
    (uid.JPEGLosslessSV1, "DCMTK", "dcmcjpeg", _ANY, _by_dcmtk("dcmcjpeg", "+e1")),
    (uid.JPEGLossless, "libjpeg-turbo", "", _ANY, lambda a, b: _lossless(a, b, 2 + b % 6)),
    (uid.JPEGLossless, "DCMTK", "dcmcjpeg", _ANY, _by_dcmtk("dcmcjpeg", "+el", "+sv", "5")),
    (uid.JPEGLSLossless, "CharLS", "", (8, 16),
     lambda a, b: bytes(imagecodecs.jpegls_encode(a))),
    (uid.JPEGLSLossless, "pyjpegls", "", _ANY, lambda a, b: _jpeg_ls(a, b, 0)),
    (uid.JPEGLSLossless, "DCMTK", "dcmcjpls", _ANY, _by_dcmtk("dcmcjpls")),
    (uid.JPEGLSNearLossless, "pyjpegls", "", _ANY, lambda a, b: _jpeg_ls(a, b, 2)),
    (uid.JPEGLSNearLossless, "DCMTK", "dcmcjpls", _ANY,
     _by_dcmtk("dcmcjpls", "+en", "+md", "3")),
    (uid.JPEG2000Lossless, "OpenJPEG", "", _ANY, lambda a, b: _j2k(a, b, 0)),
    (uid.JPEG2000Lossless, "Pillow", "", (8, 16),
     lambda a, b: _pillow(a, "JPEG2000", no_jp2=True, irreversible=False)),
    (uid.JPEG2000Lossless, "opj_compress", "opj_compress", _ANY,
     _by_tool("j2k", "opj_compress", "-t", "32,32", "-TP", "R", "-n", "3")),
    (uid.JPEG2000Lossless, "Grok", "grk_compress", _ANY, _by_tool("j2k", "grk_compress")),
    (uid.JPEG2000, "OpenJPEG", "", _ANY, lambda a, b: _j2k(a, b, 60)),
    (uid.JPEG2000, "opj_compress", "opj_compress", _ANY,
     _by_tool("j2k", "opj_compress", "-I", "-r", "6")),
    (uid.JPEG2000, "Grok", "grk_compress", _ANY,
     _by_tool("j2k", "grk_compress", "-I", "-r", "6")),
    (uid.HTJ2KLossless, "OpenJPH", "", (8, 16),
     lambda a, b: bytes(imagecodecs.htj2k_encode(a, reversible=True))),
    (uid.HTJ2KLossless, "ojph_compress", "ojph_compress", _ANY,
     _by_tool("j2c", "ojph_compress", "-reversible", "true")),
    (uid.HTJ2KLossless, "Grok", "grk_compress", _ANY, _by_tool("j2k", "grk_compress", "-M", "64")),
    (uid.HTJ2KLosslessRPCL, "ojph_compress", "ojph_compress", _ANY,
     _by_tool("j2c", "ojph_compress", "-reversible", "true", "-prog_order", "RPCL",
              "-num_decomps", "3")),
    (uid.HTJ2KLosslessRPCL, "Grok", "grk_compress", _ANY,
     _by_tool("j2k", "grk_compress", "-M", "64", "-p", "RPCL")),
    (uid.HTJ2K, "OpenJPH", "", (8, 16),
     lambda a, b: bytes(imagecodecs.htj2k_encode(a, level=0.01, reversible=False))),
    (uid.HTJ2K, "ojph_compress", "ojph_compress", _ANY,
     _by_tool("j2c", "ojph_compress", "-qstep", "0.005")),
    (uid.HTJ2K, "Grok", "grk_compress", _ANY, _by_tool("j2k", "grk_compress", "-M", "64", "-I")),
    (uid.RLELossless, "pydicom", "", _ANY, _rle_by_pydicom),
    (uid.RLELossless, "imagecodecs", "", _ANY, _rle),
    (uid.RLELossless, "DCMTK", "dcmcrle", _ANY, _by_dcmtk("dcmcrle")),
    (uid.ImplicitVRLittleEndian, "pydicom", "", _ANY, lambda a, b: a.tobytes()),
    (uid.ExplicitVRLittleEndian, "pydicom", "", _ANY, lambda a, b: a.tobytes()),
    (uid.ExplicitVRBigEndian, "pydicom", "", _WIDE,
     lambda a, b: a.astype(a.dtype.newbyteorder(">")).tobytes()),
    (uid.DeflatedExplicitVRLittleEndian, "pydicom", "", _ANY, lambda a, b: a.tobytes()),
)  # fmt: skip

LOSSY = frozenset(
    {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless, uid.JPEG2000, uid.HTJ2K}
)
NATIVE = frozenset(
    {
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
    }
)
# Grey levels by which two decoders may differ: rounding of DCT and 9/7 wavelet; by bits above 8.
_TOLERANCE = {uid.JPEGBaseline8Bit: 2, uid.JPEGExtended12Bit: 2, uid.JPEG2000: 1, uid.HTJ2K: 1}


def missing() -> list[str]:
    """Programs and packages that would encode or decode more."""
    tools = {needs for _, _, needs, _, _ in ENCODERS if needs} | {"dcmdjpeg", "grk_decompress"}
    lost = [tool for tool in sorted(tools) if shutil.which(tool) is None]
    return lost + ([] if find_spec("gdcm") else ["python-gdcm"])


def second_opinion(frame: bytes, syntax: UID, shape: tuple[int, int], bits: int) -> Pixels | None:
    """Unsigned samples of a lossy codestream by a decoder that hoseg does not use, or None."""
    if syntax == uid.JPEGExtended12Bit:
        return _decode_by_dcmtk(frame, syntax, shape, bits)
    if syntax in (uid.JPEG2000, uid.HTJ2K):
        return _decode_by_grok(frame, shape, bits)
    if find_spec("gdcm") is None:
        return None
    return pixel_array(_wrapped(frame, syntax, shape, bits), decoding_plugin="gdcm", raw=True)


def _wrapped(frame: bytes, syntax: UID, shape: tuple[int, int], bits: int) -> Dataset:
    ds = _bare(np.zeros(shape, np.uint8 if bits <= 8 else np.uint16), bits)
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = encapsulate([frame])
    ds["PixelData"].is_undefined_length = True
    return ds


def _decode_by_dcmtk(frame: bytes, syntax: UID, shape: tuple[int, int], bits: int) -> Pixels | None:
    if shutil.which("dcmdjpeg") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.dcm", Path(folder) / "out.dcm"
        _wrapped(frame, syntax, shape, bits).save_as(source, enforce_file_format=True)
        subprocess.run(["dcmdjpeg", source, target], check=True, capture_output=True)
        return pydicom.dcmread(target).pixel_array


def _decode_by_grok(frame: bytes, shape: tuple[int, int], bits: int) -> Pixels | None:
    if shutil.which("grk_decompress") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.j2k", Path(folder) / "out.pgm"
        source.write_bytes(frame)
        arguments = ["grk_decompress", "-i", source, "-o", target]
        subprocess.run(arguments, check=True, capture_output=True)
        kind, size = (">u2", 2) if bits > 8 else ("u1", 1)
        data = target.read_bytes()[-shape[0] * shape[1] * size :]
        return np.frombuffer(data, kind).reshape(shape)


def make_pool(rng: np.random.Generator, rounds: int) -> list[Coded]:
    """Encode films by every encoder that is here, unsigned and signed, ``rounds`` times each."""
    pool = []
    for syntax, encoder, needs, bits_taken, encode in ENCODERS:
        if needs and shutil.which(needs) is None:
            continue
        for signed in (False, True) * rounds:
            bits = int(rng.choice([b for b in (8, 10, 12, 14, 16) if b in bits_taken]))
            carried = _narrow(picture(rng, bits), bits)
            if signed:  # half the values become negative, as two's complement
                carried = _narrow(
                    (carried.astype(np.int64) - (1 << (bits - 1))) % (1 << bits), bits
                )
            frame = encode(carried, bits)
            truth: Pixels | None = carried
            if syntax in LOSSY:
                truth = second_opinion(frame, syntax, carried.shape, bits)
            if truth is None:
                continue
            truth = with_sign(truth, bits) if signed else truth.astype(np.int64)
            tolerance = _TOLERANCE.get(syntax, 0) * max(1, 1 << max(0, bits - 12))
            pool.append(Coded(syntax, encoder, frame, truth, tolerance, bits, signed))
    return pool


def deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return engine.compress(data) + engine.flush()
