"""Pixels of de-identified copies: borders flat, writing gone, refusals, nothing hidden."""

import io
import os
import re
import shutil
import subprocess

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEGLSLossless

from hoseg.deidentify.attributes import Policy
from hoseg.deidentify.instances import deidentify_source
from hoseg.dicom.source import Source
from hoseg.errors import InputError

from .identified import (
    COLUMNS,
    NAMES,
    ROWS,
    annotated,
    clean,
    film,
    identified,
    saved,
    write_text,
)  # fmt: skip

BORDERS = ["ZYXWOLF QUENTIN", "MRN 7734562", "NIMMERLEIN", "JQZ"]  # planted in white borders

# Where the texts stand: rows, columns, quarter turns to read them.
PLACES = [
    ((0, 60), (0, 420), 0),
    ((640, 700), (600, 900), 0),
    ((255, 330), (300, 600), 0),
    ((200, 560), (840, 900), -1),
]


def ocr(picture, path):
    """What tesseract reads in the whole picture and in close-ups of where text was planted."""
    brightest = np.where(picture > 240, 255, 0).astype(np.uint8)
    views = [(picture, "11"), (brightest, "11"), (np.rot90(brightest, -1), "11")]
    for (top, bottom), (left, right), turns in PLACES:
        part = np.rot90(picture[top:bottom, left:right], turns)
        views.append((part, "7"))
    return words_in(views, path)


def words_in(views, path):
    """What tesseract reads in (picture, page segmentation mode) pairs."""
    words = []
    for view, mode in views:
        large = cv2.resize(np.ascontiguousarray(view), None, fx=2, fy=2)
        cv2.imwrite(str(path), cv2.copyMakeBorder(large, 20, 20, 20, 20, cv2.BORDER_REPLICATE))
        command = ["tesseract", str(path), "-", "--psm", mode]
        done = subprocess.run(
            command,
            env=os.environ | {"OMP_THREAD_LIMIT": "1"},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        words.append(done.stdout)
    return re.sub(r"[^a-z0-9]", "", " ".join(words).lower())


@pytest.mark.slow
@pytest.mark.tools
def test_ocr_reads_the_text_before_and_nothing_after(tmp_path):
    if shutil.which("tesseract") is None:
        pytest.skip("tesseract is not installed")
    path = saved(identified(annotated()), tmp_path / "film.dcm")
    _, content, record = clean(path)
    after = pydicom.dcmread(io.BytesIO(content))
    show = [(p >> 4).astype(np.uint8) for p in (annotated(), after.pixel_array)]
    fragments = ["zyxwolf", "quentin", "773456", "1947", "nimmerlein"]
    read = ocr(show[0], tmp_path / "before.png")
    assert [f for f in fragments if f in read] == fragments  # the oracle can read
    read = ocr(show[1], tmp_path / "after.png")
    assert [f for f in fragments if f in read] == []
    assert len(record.masked_px) == 4
    assert after.BurnedInAnnotation == "NO"


def bordered(rng):
    """A collimated film with scatter in its white borders, texts in them and across an edge."""
    pixels = film().astype(np.float64)
    pixels[:, :170] = 3300 + rng.normal(0, 3, (ROWS, 170))
    pixels[:, 760:] = 3250 + 0.5 * np.arange(COLUMNS - 760) + rng.normal(0, 3, (ROWS, 140))
    pixels = np.clip(pixels, 0, 4095).astype(np.uint16)
    upright = np.ascontiguousarray(np.rot90(pixels, -1))
    upright = write_text(upright, BORDERS[0], 40, 60, 1.0, value=3345)  # hardly brighter
    upright = write_text(upright, BORDERS[1], 300, 150, 0.8, value=2600)
    upright = write_text(upright, BORDERS[2], 60, 850, 0.9, value=3150)  # darker, in a slope
    pixels = np.ascontiguousarray(np.rot90(upright))
    pixels = write_text(pixels, BORDERS[3], 20, 40, 1.0, value=3360)  # initials
    return write_text(pixels, BORDERS[0], 60, 640, 0.9, value=3300)  # half of it unseen


def enhanced(picture, rows, columns):
    """A part of a picture as 8 bits with all the contrast there is."""
    part = picture[rows, columns].astype(np.float64)
    return cv2.normalize(part, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.tools
def test_ocr_reads_nothing_in_white_borders(tmp_path):
    if shutil.which("tesseract") is None:
        pytest.skip("tesseract is not installed")
    before = bordered(np.random.default_rng(3))
    path = saved(identified(before), tmp_path / "film.dcm")
    _, content, record = clean(path)
    after = pydicom.dcmread(io.BytesIO(content)).pixel_array
    places = [
        (np.s_[350:700], np.s_[20:80], -1), (np.s_[200:450], np.s_[110:160], -1),
        (np.s_[380:690], np.s_[800:890], -1), (np.s_[5:60], np.s_[5:130], 0),
    ]  # fmt: skip
    read = []
    for picture in (before, after):
        views = [np.rot90(enhanced(picture, r, c), turns) for r, c, turns in places]
        views += [255 - view for view in views]
        read.append(words_in([(view, "11") for view in views], tmp_path / "view.png"))
    fragments = ["zyxwolf", "7734562", "nimmer", "jqz"]
    assert [f for f in fragments if f in read[0]] == fragments  # the oracle can read
    assert [f for f in fragments if f in read[1]] == []
    changed = before != after
    assert changed[:, :165].all() or np.ptp(after[5:-5, 5:160]) == 0
    assert np.ptp(after[5:-5, 770:-5]) == 0
    assert 0.25 < record.border_share < 0.45
    np.testing.assert_array_equal(after[:560, 200:750], before[:560, 200:750])  # anatomy


def test_the_border_becomes_flat_and_nothing_else(tmp_path):
    pixels = film()
    pixels[:, :200] = 3900
    marked = write_text(pixels, "J", 60, 400, 2.0, value=3904)  # a lone letter, invisible to most
    _, content, record = clean(saved(identified(marked), tmp_path / "film.dcm"))
    after = pydicom.dcmread(io.BytesIO(content)).pixel_array
    assert np.ptp(after[:, :200]) == 0
    np.testing.assert_array_equal(after[:, 230:], pixels[:, 230:])
    assert record.border_share == pytest.approx(200 / 900, abs=0.03)
    kept = deidentify_source(Source(tmp_path / "film.dcm", "f"), Policy(pixels="keep"), NAMES)
    array = pydicom.dcmread(io.BytesIO(kept[1])).pixel_array
    np.testing.assert_array_equal(array, marked)


def test_only_text_is_painted_out(tmp_path):
    path = saved(identified(annotated()), tmp_path / "film.dcm")
    _, content, record = clean(path)
    after, plain = pydicom.dcmread(io.BytesIO(content)).pixel_array, film()
    masked = np.zeros(plain.shape, bool)
    for top, left, bottom, right in record.masked_px:
        masked[top:bottom, left:right] = True
    np.testing.assert_array_equal(after[~masked], plain[~masked])
    assert masked.mean() < 0.12


def test_film_without_text_keeps_every_pixel(tmp_path):
    _, content, record = clean(saved(identified(), tmp_path / "film.dcm"))
    np.testing.assert_array_equal(pydicom.dcmread(io.BytesIO(content)).pixel_array, film())
    assert record.masked_px == ()


def test_what_hides_beside_the_picture_goes(tmp_path):
    dataset = identified()
    hidden = film() | 0x8000  # an overlay in an unused bit
    dataset.PixelData = hidden.tobytes() + b"Zyxwolf after the last frame!!"
    _, content, _ = clean(saved(dataset, tmp_path / "film.dcm"))
    assert b"Zyxwolf" not in content
    np.testing.assert_array_equal(pydicom.dcmread(io.BytesIO(content)).pixel_array, film())


def test_comment_inside_a_compressed_stream_goes(tmp_path):
    dataset = identified()
    dataset.compress(JPEGLSLossless)
    stream = pydicom.encaps.get_frame(dataset.PixelData, 0)
    note = b"Zyxwolf in a comment"
    comment = b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note
    dataset.PixelData = pydicom.encaps.encapsulate([stream[:2] + comment + stream[2:]])
    path = saved(dataset, tmp_path / "film.dcm")
    assert note in path.read_bytes()
    _, content, _ = clean(path)
    assert b"Zyxwolf" not in content
    np.testing.assert_array_equal(pydicom.dcmread(io.BytesIO(content)).pixel_array, film())


def test_a_copy_keeps_all_bits_of_a_codestream_whose_attributes_say_less(tmp_path):
    """Ten bits stated, twelve coded, and nothing delimits the pixel data."""
    dataset = identified()
    dataset.compress(JPEGLSLossless)
    dataset.BitsStored, dataset.HighBit = 10, 15
    path = saved(dataset, tmp_path / "film.dcm")
    data = path.read_bytes()
    end = data.rindex(b"\xfe\xff\xdd\xe0")
    path.write_bytes(data[:end])
    _, content, _ = clean(path)
    copy = pydicom.dcmread(io.BytesIO(content))
    assert (copy.BitsStored, copy.HighBit) == (12, 11)
    np.testing.assert_array_equal(copy.pixel_array, film())


def refused(path, policy=None):
    with pytest.raises(InputError) as caught:
        clean(path, policy)
    return caught.value.code


def test_refusals(tmp_path):
    path = saved(identified(annotated()), tmp_path / "text.dcm")
    assert refused(path, Policy(pixels="refuse")) == "burned_in_text"

    says_so = identified()
    says_so.BurnedInAnnotation = "YES"
    assert refused(saved(says_so, tmp_path / "says.dcm")) == "burned_in_not_found"
    assert clean(tmp_path / "says.dcm", Policy(pixels="keep"))[2].status == "written"

    report = identified()
    report.SOPClassUID, report.Modality = "1.2.840.10008.5.1.4.1.1.88.33", "SR"
    del report.PixelData, report.Rows, report.Columns
    assert refused(saved(report, tmp_path / "report.dcm")) == "no_pixels"

    nameless = identified()
    del nameless.StudyInstanceUID
    assert refused(saved(nameless, tmp_path / "nameless.dcm")) == "no_identity"

    (tmp_path / "note.txt").write_text("not DICOM")
    assert refused(tmp_path / "note.txt") == "not_an_image"
