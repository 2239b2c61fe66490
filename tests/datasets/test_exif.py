"""Masks of pictures that EXIF turns lie on the picture as it is shown."""

import json

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


def outlined(folder, name, orientation, mask):
    """The same picture, whose bright block is outlined in a JSON of another program."""
    pixels = np.full((ROWS, COLUMNS), 40, np.uint8)
    pixels[2:12, 3:9] = 200
    exif = Image.Exif()
    exif[274] = orientation
    folder.mkdir(parents=True)
    Image.fromarray(pixels).save(folder / "a.png", exif=exif)
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
    height, width = mask.shape
    if name == "coco":
        content = {
            "images": [{"id": 1, "file_name": "a.png", "height": height, "width": width}],
            "annotations": [
                {
                    "id": 1,
                    "image_id": 1,
                    "category_id": 1,
                    "segmentation": [np.ravel(corners).tolist()],
                }
            ],
            "categories": [{"id": 1, "name": "femur"}],
        }
        (folder / "annotations.json").write_text(json.dumps(content))
    else:
        shapes = [{"label": "femur", "points": corners}]
        content = {"shapes": shapes, "imagePath": "a.png", "imageHeight": height,
                   "imageWidth": width}  # fmt: skip
        (folder / "a.json").write_text(json.dumps(content))
    return open_dataset(folder).films[0].read()


@pytest.mark.parametrize("name", ["coco", "labelme"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_outlines_of_other_programs_fit(tmp_path, name, orientation):
    stored = np.zeros((ROWS, COLUMNS), bool)
    stored[2:12, 3:9] = True
    ways = [as_shown(stored.astype(np.uint8), orientation) > 0]
    if orientation >= 5:  # the size tells
        ways.append(stored)
    for number, mask in enumerate(ways):
        image = outlined(tmp_path / str(number), name, orientation, mask)
        inside = image.masks == 2
        bright = image.radiograph.pixels > 100
        assert (inside & bright).sum() == bright.sum()
        assert inside.sum() <= 1.4 * bright.sum()  # edges of a filled outline
