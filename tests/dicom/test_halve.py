"""Half resolution must change where nobody looks, and nothing else."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread

from hoseg.dicom import Source, decode
from hoseg.dicom.codestream import wavelet
from hoseg.dicom.halve import decode_half, may_halve
from hoseg.radiograph import Side, Spacing, SpacingSource, View
from hoseg.simulate.dicom_out import Acquisition, DicomVariant, write_dicom


def encode(pixels: np.ndarray, **options: object) -> bytes:
    settings = {"level": 0, "codecformat": "j2k", "bitspersample": 12, "reversible": True} | options
    return bytes(imagecodecs.jpeg2k_encode(pixels, **settings))


def soft_film(shape: tuple[int, int] = (301, 250)) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.rint(2000 + 900 * np.sin(rows / 40) + 900 * np.cos(columns / 55)).astype(np.uint16)


@pytest.mark.parametrize("reversible", [True, False])
def test_the_header_says_what_was_encoded(reversible):
    facts = wavelet(encode(soft_film(), reversible=reversible, level=0 if reversible else 60))
    assert (facts.rows, facts.columns, facts.samples, facts.bits) == (301, 250, 1, 12)
    assert facts.reversible is reversible
    assert facts.levels >= 3
    assert facts.at_origin
    assert not facts.signed


def test_a_ramp_comes_back_as_it_was_so_nothing_is_shifted():
    ramp = np.add.outer(8 * np.arange(200), 4 * np.arange(151)).astype(np.uint16)
    found = decode_half(encode(ramp))
    assert found is not None
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found[4:-4, 4:-4], ramp[4:-4, 4:-4])


@pytest.mark.parametrize("options", [{}, {"reversible": False, "level": 70}])
@pytest.mark.parametrize("shape", [(301, 250), (300, 251)])
def test_a_soft_film_keeps_its_size_and_nearly_its_values(shape, options):
    film = soft_film(shape)
    found = decode_half(encode(film, **options))
    assert found is not None
    assert found.shape == shape
    assert np.abs(found.astype(int) - film)[4:-4, 4:-4].max() <= 8


def test_eight_bits_stay_eight_bits():
    film = (soft_film() // 16).astype(np.uint8)
    found = decode_half(encode(film, bitspersample=8))
    assert found is not None
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - film).max() <= 3


def test_highest_values_do_not_wrap_round():
    film = np.full((128, 128), 4095, np.uint16)
    film[40:80, 40:80] = 0
    for options in ({}, {"reversible": False, "level": 60}):
        found = decode_half(encode(film, **options))
        assert found is not None
        assert found.max() <= 4095
        assert found[:30].min() > 3900
        assert found[50:70, 50:70].max() < 200


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xff\x4f\xff\x51" + bytes(60),
        encode(soft_film())[:60],
        encode(soft_film(), resolutions=1),
        encode(np.stack([soft_film() // 16] * 3, -1).astype(np.uint8), bitspersample=8),
        encode(soft_film().astype(np.int16), bitspersample=16),
    ],
    ids=["empty", "header", "cut off", "no wavelet", "colour", "signed"],
)
def test_what_cannot_be_halved_is_left_to_the_full_decoder(frame):
    assert decode_half(frame) is None


def write(path: Path, encoding: str) -> Source:
    facts = Acquisition("film", View.AP_PELVIS, Side.UNKNOWN, Side.LEFT, 0.14, 1.15)
    write_dicom(path, soft_film(), 12, facts, DicomVariant("DX", "fiducial", encoding))
    return Source(path, str(path))


@pytest.mark.parametrize(
    ("encoding", "spacing_mm", "halved"),
    [
        ("jpeg_2000", 0.7, True),
        ("jpeg_2000", 0.5, False),  # less than 4.5 pixels in one of the network's
        ("jpeg_2000", None, False),
        ("jpeg_lossless", 0.7, False),
    ],
)
def test_only_fine_jpeg_2000_without_pictures_is_halved(encoding, spacing_mm, halved, tmp_path):
    [film] = decode(write(tmp_path / "film.dcm", encoding), for_spacing_mm=spacing_mm)
    assert film.shape == (301, 250)
    assert halved == any(note.code == "half_resolution" for note in film.notes)
    assert halved == (not np.array_equal(film.pixels, soft_film()))


def test_a_film_without_millimetres_is_decoded_in_full(tmp_path):
    source = write(tmp_path / "film.dcm", "jpeg_2000")
    dataset = dcmread(source.path)
    fine = Spacing(0.1, 0.1, 0.0, SpacingSource.USER)
    assert may_halve(dataset, fine, 0.7)
    assert not may_halve(dataset, None, 0.7)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 5])  # the two that agree least of six
def test_masks_of_the_released_model_agree_as_the_gate_wants(seed):
    from hoseg.imaging.prepare import prepare
    from hoseg.infer.parity import MIN_AGREEMENT
    from hoseg.infer.predictor import Options, Predictor
    from hoseg.radiograph import Radiograph
    from hoseg.simulate import SceneSettings, project, render, sample_scene

    rng = np.random.default_rng([555, seed])
    film = render(project(sample_scene(SceneSettings(), rng), 0.14, (3000, 2500)), rng)
    top = 2**film.recipe.processing.bits - 1
    pixels = np.rint(film.pixels * (4095 / top)).astype(np.uint16)
    predictor = Predictor("hip-sim-1", "cpu", "onnx", Options(gate=False, films=1))
    spacing = Spacing(0.14, 0.14, 0.0, SpacingSource.USER)

    def masks_of(pixels: np.ndarray) -> np.ndarray:
        ready = prepare(Radiograph(pixels, "film", spacing), predictor.spacing_mm)
        return predictor.predict([ready])[0].masks

    for options in ({}, {"reversible": False, "level": 60}):
        frame = encode(pixels, **options)
        half = decode_half(frame)
        assert half is not None
        full, found = masks_of(imagecodecs.jpeg2k_decode(frame)), masks_of(half)
        assert (full == found).mean() >= MIN_AGREEMENT
