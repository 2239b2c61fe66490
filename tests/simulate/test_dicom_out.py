import io
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from hoseg.dicom import load
from hoseg.errors import SettingError
from hoseg.radiograph import Side, View
from hoseg.simulate.dicom_out import (
    AWKWARD,
    SPACINGS,
    TRANSFER_SYNTAXES,
    VOI,
    Acquisition,
    DicomVariant,
    dicom_dataset,
    sample_variant,
    write_dicom,
)

FILM = Acquisition("test-0001", View.AP_PELVIS, Side.UNKNOWN, Side.LEFT, 0.14, 1.2)
PIXELS = np.random.default_rng(0).integers(0, 4096, (40, 56)).astype(np.uint16)


def _read_back(path):
    return pydicom.dcmread(path, force=True)


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
@pytest.mark.parametrize("inverted", [False, True])
def test_pixels_survive_every_transfer_syntax(tmp_path, syntax, inverted):
    path = tmp_path / "film.dcm"
    write_dicom(path, PIXELS, 12, FILM, DicomVariant(syntax=syntax, inverted=inverted))
    dataset = _read_back(path)
    assert dataset.file_meta.TransferSyntaxUID == TRANSFER_SYNTAXES[syntax]
    if syntax == "jpeg_lossless":
        import imagecodecs

        stored = imagecodecs.ljpeg_decode(
            next(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=1))
        )
    else:
        stored = dataset.pixel_array
    np.testing.assert_array_equal(4095 - stored if inverted else stored, PIXELS)


@pytest.mark.parametrize("awkward", ["none", "signed"])
@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_films_of_8_bits_are_read_as_written(tmp_path, syntax, awkward):
    pixels = (PIXELS >> 4)[:39, :55]
    variant = DicomVariant("CR", syntax=syntax, awkward=awkward)
    write_dicom(tmp_path / "film.dcm", pixels, 8, FILM, variant)
    (film,) = load(tmp_path / "film.dcm")
    np.testing.assert_array_equal(
        film.pixels.astype(int) + (128 if awkward == "signed" else 0), pixels
    )


@pytest.mark.parametrize("modality", ["DX", "CR"])
@pytest.mark.parametrize("view", [View.AP_PELVIS, View.AP_HIP, View.FROG_LEG, View.JUDET])
def test_a_view_is_read_as_it_was_written(tmp_path, modality, view):
    path = tmp_path / "film.dcm"
    film = replace(FILM, view=view, side=Side.LEFT)
    write_dicom(path, PIXELS, 12, film, DicomVariant(modality))
    (read,) = load(path)
    assert read.view is view


@pytest.mark.parametrize(
    ("modality", "awkward"),
    [(m, a) for m in ("DX", "CR") for a in AWKWARD if (m, a) != ("DX", "signed")],
)
def test_awkward_variants_can_still_be_read(tmp_path, modality, awkward):
    path = tmp_path / "film.dcm"
    write_dicom(path, PIXELS, 12, FILM, DicomVariant(modality, syntax="explicit", awkward=awkward))
    dataset = _read_back(path)
    if awkward == "no_file_meta":
        assert path.read_bytes()[128:132] != b"DICM"
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    shift = 2048 if awkward == "signed" else 0
    np.testing.assert_array_equal(dataset.pixel_array.astype(int) + shift, PIXELS)


def test_spacing_attributes_say_what_they_mean():
    def attributes(name, modality="DX"):
        return dicom_dataset(PIXELS, 12, FILM, DicomVariant(modality, name, "explicit"))

    assert [float(v) for v in attributes("imager").ImagerPixelSpacing] == pytest.approx([0.168] * 2)
    assert "PixelSpacing" not in attributes("imager")
    magnified = attributes("magnification")
    assert float(magnified.EstimatedRadiographicMagnificationFactor) == pytest.approx(1.2)
    assert float(
        magnified.DistanceSourceToDetector / magnified.DistanceSourceToPatient
    ) == pytest.approx(1.2, rel=1e-4)
    for kind in ("fiducial", "geometry"):
        assert attributes(kind).PixelSpacingCalibrationType == kind.upper()
        assert [float(v) for v in attributes(kind).PixelSpacing] == pytest.approx([0.14] * 2)
    assert "ImagerPixelSpacing" not in attributes("untyped", "CR")
    assert "PixelSpacing" not in attributes("none", "CR")


def test_same_arguments_same_bytes(tmp_path):
    for name in ("a.dcm", "b.dcm"):
        write_dicom(tmp_path / name, PIXELS, 12, FILM, DicomVariant())
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()


def test_every_drawn_variant_can_be_written():
    for seed in range(80):
        variant = sample_variant(np.random.default_rng(seed))
        dataset = dicom_dataset(PIXELS, 12, FILM, variant)
        buffer = io.BytesIO()
        pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
        assert buffer.tell() > 500


@pytest.mark.parametrize(
    ("key", "value"), [("modality", "CT"), ("spacing", "guess"), ("syntax", "zip"), ("voi", "x")]
)
def test_bad_variants_name_the_setting(key, value):
    with pytest.raises(SettingError, match=key):
        DicomVariant(**{key: value})


def test_dx_must_state_its_detector_spacing():
    with pytest.raises(SettingError, match="CR"):
        DicomVariant("DX", "none")


@pytest.mark.tools
@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
@pytest.mark.parametrize("modality", ["DX", "CR"])
@pytest.mark.parametrize("voi", VOI)
@pytest.mark.parametrize("spacing", [s for s in SPACINGS if s not in ("untyped", "none")])
def test_dciodvfy_finds_no_errors(tmp_path, modality, voi, spacing):
    path = tmp_path / "film.dcm"
    write_dicom(path, PIXELS, 12, FILM, DicomVariant(modality, spacing, "explicit", voi=voi))
    said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False).stderr
    assert [line for line in said.splitlines() if line.startswith("Error")] == []


def test_signed_pixels_are_no_dx():
    with pytest.raises(SettingError, match="unsigned pixels in DX"):
        DicomVariant("DX", awkward="signed")


@pytest.mark.tools
@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_dciodvfy_finds_no_errors_in_drawn_variants(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(80):
        path = tmp_path / f"{number}.dcm"
        variant = sample_variant(rng)
        view, side = ((View.AP_PELVIS, Side.UNKNOWN), (View.AP_HIP, Side.LEFT))[number % 2]
        write_dicom(path, PIXELS, 12, replace(FILM, view=view, side=side), variant)
        said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
        assert "Error" not in said.stderr, (variant, said.stderr)
