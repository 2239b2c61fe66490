"""Masks of pictures that EXIF turns lie on the picture as it is shown."""

import numpy as np
import pytest
from PIL import Image

from hoseg.datasets import open_dataset
from hoseg.datasets.check import check
from hoseg.dicom.exif import as_shown

ROWS, COLUMNS = 40, 60


def dataset(folder, orientation, *, masks_as_stored):
    """One picture whose bright corner block is labelled as femur."""
    pixels = np.full((ROWS, COLUMNS), 40, np.uint8)
    pixels[2:12, 3:9] = 200
    mask = np.where(pixels > 100, 2, 0).astype(np.uint8)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(pixels).save(folder / "images" / "a.png", exif=exif)
    shown = mask if masks_as_stored else as_shown(mask, orientation)
    Image.fromarray(shown).save(folder / "masks" / "a.png")
    return open_dataset(folder)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_masks_drawn_on_the_shown_picture_fit(tmp_path, orientation):
    found = dataset(tmp_path, orientation, masks_as_stored=False)
    image = found.films[0].read()
    np.testing.assert_array_equal(image.masks == 2, image.radiograph.pixels > 100)
    assert "exif_applied" in {finding.code for finding in check(found)[1]}


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_the_size_tells_masks_drawn_on_the_stored_picture(tmp_path, orientation):
    image = dataset(tmp_path, orientation, masks_as_stored=True).films[0].read()
    np.testing.assert_array_equal(image.masks == 2, image.radiograph.pixels > 100)
