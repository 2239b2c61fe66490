"""Every encoding, layout and oddity gives the pixels that were written, or a reason code."""

from __future__ import annotations

import io
import pickle
import struct
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels import convert_color_space, pixel_array
from pydicom.sequence import Sequence

from hoseg.dicom import Limits, Source, decode, discover, load, sop_instance
from hoseg.dicom.pixels import iter_frames, read_layout
from hoseg.dicom.read import parse
from hoseg.errors import InputError
from hoseg.reasons import Reason, status_of

from .build import ENCODERS, codes, compress, dataset, film, read, read_one, save

PYDICOM_FILES = Path(pydicom.data.__file__).parent / "test_files"


def test_what_is_not_wanted_is_not_decoded(tmp_path):
    ds = compress(dataset(film()), uid.JPEGLosslessSV1, b"no codestream")
    ds.BodyPartExamined = "CHEST"
    source = Source(save(ds, tmp_path / "chest.dcm"), "chest.dcm")
    asked = []
    (got,) = decode(source, wanted=lambda film: asked.append(film.attributes.body_part))
    assert asked == ["CHEST"]
    assert got.shape == film().shape
    assert not got.pixels.any()
    assert got.attributes.body_part == "CHEST"
    with pytest.raises(InputError):
        decode(source, wanted=lambda film: True)


def test_file_without_preamble_meta_or_extension(tmp_path):
    pixels = film()
    for syntax, implicit, little in (
        (uid.ExplicitVRLittleEndian, False, True),
        (uid.ImplicitVRLittleEndian, True, True),
    ):
        ds = dataset(pixels)
        ds.file_meta.TransferSyntaxUID = syntax
        bare = tmp_path / "IM0001"
        with bare.open("wb") as stream:
            pydicom.filewriter.write_dataset(_file(stream, implicit, little), ds)
        np.testing.assert_array_equal(read(bare)[0].pixels, pixels)


def _file(stream, implicit, little):
    out = pydicom.filebase.DicomIO(stream)
    out.is_implicit_VR, out.is_little_endian = implicit, little
    return out


def test_compressed_file_without_meta_is_recognised_by_its_codestream(tmp_path):
    pixels = film()
    ds = compress(dataset(pixels), uid.JPEGLosslessSV1, ENCODERS[uid.JPEGLosslessSV1](pixels))
    with (tmp_path / "bare").open("wb") as stream:
        pydicom.filewriter.write_dataset(_file(stream, False, True), ds)
    np.testing.assert_array_equal(read(tmp_path / "bare")[0].pixels, pixels)


def test_dicom_with_a_tiff_preamble_is_dicom(tmp_path):
    ds = dataset(film())
    path = save(ds, tmp_path / "dual.dcm")
    path.write_bytes(b"II*\0" + path.read_bytes()[4:])
    np.testing.assert_array_equal(read(path)[0].pixels, film())


def test_signed_pixels_and_rescale_keep_integers(tmp_path):
    pixels = film().astype(np.int16) - 2048
    plain = read_one(dataset(pixels), tmp_path).pixels
    np.testing.assert_array_equal(plain, pixels)
    shifted = read_one(dataset(pixels, RescaleSlope=1, RescaleIntercept=-100), tmp_path).pixels
    assert np.issubdtype(shifted.dtype, np.integer)
    np.testing.assert_array_equal(shifted, pixels.astype(int) - 100)
    scaled = read_one(dataset(pixels, RescaleSlope=0.5, RescaleIntercept=1), tmp_path).pixels
    np.testing.assert_allclose(scaled, pixels * 0.5 + 1)


def test_modality_lut_sequence(tmp_path):
    pixels = film(bits=8).astype(np.uint16)
    item = Dataset()
    item.LUTDescriptor = [256, 0, 16]
    item.ModalityLUTType = "US"
    table = (np.arange(256) ** 2).astype("<u2")
    item.add_new("LUTData", "OW", table.tobytes())
    got = read_one(dataset(pixels, 8, ModalityLUTSequence=Sequence([item])), tmp_path)
    np.testing.assert_array_equal(got.pixels, pixels.astype(int) ** 2)
    item.LUTDescriptor = [999, 0, 16]  # more entries than data: ignored and said
    got = read_one(dataset(pixels, 8, ModalityLUTSequence=Sequence([item])), tmp_path)
    np.testing.assert_array_equal(got.pixels, pixels)
    assert "modality_lut_ignored" in codes(got)


def test_polarity_window_and_lut_reach_the_display(tmp_path):
    got = read_one(
        dataset(
            film(),
            PhotometricInterpretation="MONOCHROME1",
            WindowCenter=[800, 1],
            WindowWidth=[400, 1],
            VOILUTFunction="SIGMOID",
        ),
        tmp_path,
    )
    assert got.display.inverted
    assert got.display.window == (800, 400)
    assert got.display.function == "SIGMOID"
    assert read_one(dataset(film(), PresentationLUTShape="INVERSE"), tmp_path).display.inverted
    both = dataset(film(), PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="IDENTITY")
    assert "polarity_contradicts" in codes(read_one(both, tmp_path))


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        ({"Rows": 65535, "Columns": 65535}, Reason.TOO_LARGE, "65535"),
        ({"NumberOfFrames": 100_000}, Reason.TOO_LARGE, "100000"),
        ({"Rows": 0}, Reason.BAD_TAG, "Rows"),
        ({"BitsAllocated": 12}, Reason.BAD_TAG, "BitsAllocated"),
        ({"SamplesPerPixel": 7}, Reason.BAD_TAG, "SamplesPerPixel"),
        ({"Rows": 49}, Reason.TRUNCATED, "bytes"),
    ],
)
def test_bad_attributes_are_named(change, code, word, tmp_path):
    with pytest.raises(InputError, match=word) as caught:
        read_one(dataset(film(), **change), tmp_path)
    assert caught.value.code == code
    assert "film.dcm" in str(caught.value)


def test_deflate_bomb_is_refused(tmp_path):
    ds = dataset(film())
    ds.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    path = save(ds, tmp_path / "bomb.dcm")
    data = path.read_bytes()
    start = 132 + 12 + struct.unpack("<I", data[140:144])[0]
    engine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path.write_bytes(data[:start] + engine.compress(bytes(32 * 1024**2)) + engine.flush())
    assert path.stat().st_size < 64 * 1024
    with pytest.raises(InputError) as caught:
        read(path, file_bytes=1024**2)
    assert caught.value.code == Reason.TOO_LARGE


def test_deeply_nested_sequences_do_not_escape(tmp_path):
    opening = struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    nested = 5000 * (opening + b"\xfe\xff\x00\xe0\xff\xff\xff\xff")
    path = save(dataset(film()), tmp_path / "deep.dcm")
    data = path.read_bytes()
    start = 132 + 12 + struct.unpack("<I", data[140:144])[0]
    path.write_bytes(data[:start] + nested + data[start:])
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.code == Reason.CORRUPT


def test_objects_without_pixels_and_foreign_files(tmp_path):
    report = dataset(film(), SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33", Modality="SR")
    for keyword in ("PixelData", "Rows", "Columns"):
        delattr(report, keyword)
    lost = dataset(film())
    del lost.PixelData
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "wrong.dcm").write_bytes(b"hello, this is a text" * 20)
    (tmp_path / "notes.txt").write_bytes(b"hello")
    expected = {
        save(report, tmp_path / "sr.dcm"): Reason.NO_PIXELS,
        save(lost, tmp_path / "lost.dcm"): Reason.TRUNCATED,
        tmp_path / "empty.dcm": Reason.EMPTY_FILE,
        tmp_path / "wrong.dcm": Reason.NOT_DICOM,
        tmp_path / "notes.txt": Reason.NOT_AN_IMAGE,
        tmp_path / "nowhere.dcm": Reason.NOT_FOUND,
    }
    for path, code in expected.items():
        with pytest.raises(InputError) as caught:
            read(path)
        assert caught.value.code == code, path


def test_file_over_the_size_limit_is_not_read(tmp_path):
    path = save(dataset(film()), tmp_path / "film.dcm")
    with pytest.raises(InputError) as caught:
        read(path, file_bytes=1000)
    assert caught.value.code == Reason.FILE_TOO_LARGE


def test_decode_runs_in_another_process(tmp_path):
    source = Source(save(dataset(film()), tmp_path / "film.dcm"), "film.dcm")
    assert pickle.loads(pickle.dumps(source)) == source
    with ProcessPoolExecutor(1) as pool:
        (radiograph,) = pool.submit(decode, source, Limits()).result()
        assert status_of(pool.submit(_code, tmp_path / "none").result()) == "failed"
    np.testing.assert_array_equal(radiograph.pixels, film())


def _code(path):
    try:
        decode(Source(path, "none"))
    except InputError as error:
        return pickle.loads(pickle.dumps(error)).code
    return "decoded"


def test_load_takes_folders_and_user_spacing(tmp_path):
    save(dataset(film(), ImagerPixelSpacing=[0.2, 0.2]), tmp_path / "a.dcm")
    (tmp_path / "readme.txt").write_text("not an image")
    (stated,) = load(tmp_path)
    assert stated.spacing is not None
    assert stated.spacing.row_mm == pytest.approx(0.2 / 1.2)
    (carried,) = load(tmp_path, spacing_mm=0.15)
    assert carried.spacing == stated.spacing
    (told,) = load(tmp_path, spacing_mm=0.15, override_spacing=True)
    assert told.spacing is not None
    assert told.spacing.mm == (0.15, 0.15)


def test_instance(tmp_path):
    ds = dataset(film())
    path = save(ds, tmp_path / "a.dcm")
    assert sop_instance(Source(path, "a")) == ds.SOPInstanceUID.encode()
    assert sop_instance(Source(tmp_path / "none", "none")) is None


def test_our_pixels_equal_pydicoms_on_its_own_test_set():
    """Oracle: pydicom with its other plugins, colour files compared after conversion to RGB."""
    compared = 0
    for name in PYDICOM_FILES.rglob("*.dcm"):
        try:
            reference = pixel_array(pydicom.dcmread(name), raw=False, decoding_plugin="")
            ours = _all_frames(Path(name))
        except (InputError, AttributeError, RuntimeError, ValueError, NotImplementedError):
            continue
        except pydicom.errors.InvalidDicomError:
            continue
        if ours.shape != reference.shape or ours.ndim == 4:
            continue
        tolerance = 4 if ours.shape[-1] == 3 else 0  # YBR to RGB is rounded differently
        difference = np.abs(ours.astype(float) - reference.astype(float))
        assert np.quantile(difference, 0.99) <= tolerance, name
        compared += 1
    assert compared > 50


def _all_frames(path: Path) -> np.ndarray:
    source = Source(path, path.name)
    ds = parse(path.read_bytes(), source, Limits())
    layout = read_layout(ds, source, Limits())
    frames = []
    for frame in iter_frames(ds, layout, source):
        pixels = frame.pixels
        if frame.photometric.startswith("YBR_FULL"):
            pixels = convert_color_space(pixels, frame.photometric, "RGB")
        frames.append(pixels.copy())
    return frames[0] if len(frames) == 1 else np.stack(frames)


def test_every_file_of_pydicoms_test_set_is_read_or_refused():
    results = {}
    for name in filter(Path.is_file, PYDICOM_FILES.rglob("*")):
        for source in discover([name]):
            try:
                results[source.name] = len(decode(source))
            except InputError as error:
                results[source.name] = Reason(error.code)
    assert len(results) > 150
    assert sum(isinstance(r, int) for r in results.values()) > 80
    for name in ("693_J2KI.dcm", "JPGExtended.dcm", "MR_small_RLE.dcm", "examples_ybr_color.dcm"):
        assert any(isinstance(r, int) for n, r in results.items() if n.endswith(name)), name


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_cut_stream_is_refused(kind, tmp_path):
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(film(bits=8).astype(np.uint8)).save(buffer, kind)
    path = tmp_path / f"cut.{kind.lower()}"
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 3])
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.code == (Reason.TRUNCATED if kind == "JPEG" else Reason.CORRUPT)


def test_pictures_keep_their_depth(tmp_path):
    from PIL import Image

    deep = film(bits=16)
    for suffix in ("png", "tif"):
        Image.fromarray(deep).save(tmp_path / f"deep.{suffix}")
        got = read(tmp_path / f"deep.{suffix}")[0]
        np.testing.assert_array_equal(got.pixels, deep)
        assert got.spacing is None
        assert "spacing_missing" in codes(got)
    with pytest.raises(InputError) as caught:
        read(tmp_path / "deep.png", frame_pixels=100)
    assert caught.value.code == Reason.TOO_LARGE
    (got,) = decode(Source(tmp_path / "deep.png", "deep.png", spacing_mm=(0.2, 0.3)))
    assert got.spacing is not None
    assert got.spacing.mm == (0.2, 0.3)
