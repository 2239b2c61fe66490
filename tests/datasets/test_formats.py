import csv
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import nibabel
import numpy as np
import pytest

from hoseg.datasets import FORMATS, open_dataset
from hoseg.datasets.formats import convert, writable
from hoseg.datasets.labelled import LabelledImage, structure_of
from hoseg.errors import InputError, SettingError

KEEPS_HOLES = {"folder", "coco", "nnunet", "dicom_seg"}


@pytest.mark.parametrize("name", writable())
def test_masks_and_pixels_come_back(
    name: str,
    images: list[LabelledImage],
    solid_images: list[LabelledImage],
    tmp_path: Path,
) -> None:
    if name not in KEEPS_HOLES:
        images = solid_images
    writer = FORMATS[name].write
    assert writer is not None
    assert writer(images, tmp_path / name) == 4
    dataset = open_dataset(tmp_path / name)
    assert dataset.format == name
    assert len(dataset.films) == 4
    for film, original in zip(dataset.films, images, strict=True):
        read = film.read()
        np.testing.assert_array_equal(read.masks, original.masks)
        lowest = original.radiograph.pixels.min()
        np.testing.assert_array_equal(
            read.radiograph.pixels.astype(int), original.radiograph.pixels.astype(int) - lowest
        )


@pytest.mark.parametrize("name", writable())
def test_patients_and_spacing_come_back(
    name: str, images: list[LabelledImage], tmp_path: Path
) -> None:
    writer = FORMATS[name].write
    assert writer is not None
    writer(images, tmp_path / name)
    for film, original in zip(open_dataset(tmp_path / name).films, images, strict=True):
        assert film.patient == original.patient
        spacing = film.read().radiograph.spacing
        assert spacing is not None
        assert spacing.mean_mm == pytest.approx(0.7, rel=1e-4)


def test_folder_keeps_grades(folder: Path) -> None:
    hip = open_dataset(folder).films[0].read().hips[0]
    assert (hip.side, hip.brooker, hip.gap_mm) == ("left", 2, 12.5)


@pytest.mark.parametrize("name", ["folder", "nnunet", "labelme", "coco"])
def test_grades_and_splits_survive_a_conversion(name: str, folder: Path, tmp_path: Path) -> None:
    table = folder / "dataset.csv"
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row, split in zip(rows, ("train", "val", "test", "train"), strict=False):
        row["split"] = split
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    before = open_dataset(folder)
    convert(before, name, tmp_path / "converted")
    after = open_dataset(tmp_path / "converted")
    assert [f.split for f in after.films] == [f.split for f in before.films]
    assert "test" in [f.split for f in after.films]
    if name == "coco":  # has no place for grades
        return
    grades = [[(h.side, h.brooker) for h in f.read().hips] for f in after.films]
    assert grades == [[(h.side, h.brooker) for h in f.read().hips] for f in before.films]


def test_convert_goes_through_every_film(folder: Path, tmp_path: Path) -> None:
    seen = []
    dataset = open_dataset(folder)
    assert convert(dataset, "coco", tmp_path / "coco", lambda: seen.append(1)) == len(seen) == 4
    back = open_dataset(tmp_path / "coco")
    for a, b in zip(dataset.films, back.films, strict=True):
        np.testing.assert_array_equal(a.read().masks, b.read().masks)


def test_convert_refuses_a_used_folder_and_an_unknown_format(folder: Path) -> None:
    dataset = open_dataset(folder)
    with pytest.raises(SettingError, match="empty folder"):
        convert(dataset, "coco", folder)
    with pytest.raises(SettingError, match="--to"):
        convert(dataset, "grades", folder / "new")


def test_mask_of_another_size_names_the_file(folder: Path) -> None:
    cv2.imwrite(str(folder / "masks" / "film1.png"), np.ones((10, 10), np.uint8))
    films = open_dataset(folder).films
    films[0].read()
    with pytest.raises(InputError, match=r"film1\.png.*10 x 10.*70 x 90") as caught:
        films[1].read()
    assert caught.value.code == "size_mismatch"


def test_unknown_bits_are_refused(folder: Path) -> None:
    cv2.imwrite(str(folder / "masks" / "film0.png"), np.full((70, 90), 255, np.uint8))
    with pytest.raises(InputError, match="255"):
        open_dataset(folder).films[0].read()


def test_missing_mask(folder: Path) -> None:
    (folder / "masks" / "film2.png").unlink()
    with pytest.raises(InputError, match="no mask named film2"):
        open_dataset(folder).films[2].read()


def test_nifti_folder(images: list[LabelledImage], tmp_path: Path) -> None:
    image = images[0]
    for name, plane in (("images", image.radiograph.pixels), ("masks", image.masks)):
        (tmp_path / name).mkdir()
        columns_first = nibabel.Nifti1Image(plane.T[..., None], np.diag([0.4, 0.5, 1, 1]))
        nibabel.save(columns_first, tmp_path / name / "a.nii.gz")
    read = open_dataset(tmp_path).films[0].read()
    np.testing.assert_array_equal(read.masks, image.masks)
    np.testing.assert_array_equal(read.radiograph.pixels, image.radiograph.pixels)
    assert read.radiograph.spacing.mm == pytest.approx((0.5, 0.4))


def coco_with_polygon(root: Path, label: str, segmentation: object) -> Path:
    (root / "images").mkdir(parents=True)
    cv2.imwrite(str(root / "images" / "a.png"), np.full((20, 30), 700, np.uint16))
    content = {
        "images": [{"id": 7, "file_name": "a.png", "height": 20, "width": 30, "license": 1}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "segmentation": segmentation}],
        "categories": [{"id": 3, "name": label, "supercategory": ""}],
        "info": {},
    }
    (root / "annotations").mkdir()
    path = root / "annotations" / "instances_default.json"
    path.write_text(json.dumps(content))
    return path


def test_coco_polygons_as_cvat_lays_them_out(tmp_path: Path) -> None:
    coco_with_polygon(tmp_path, "Left Femur", [[5, 5, 15, 5, 15, 12, 5, 12]])
    read = open_dataset(tmp_path).films[0].read()
    assert (read.masks[5:12, 5:15] == 2).all()
    assert read.masks[:4].max() == 0


def test_coco_uncompressed_runs(tmp_path: Path) -> None:
    coco_with_polygon(tmp_path, "HO", {"size": [20, 30], "counts": [100, 40, 460]})
    read = open_dataset(tmp_path).films[0].read()
    assert read.masks.sum() == 8 * 40
    assert (read.masks[:, 5:7] == 8).all()


@pytest.mark.parametrize(
    ("label", "segmentation", "message"),
    [
        ("tibia", [[1, 1, 5, 1, 5, 5]], "'tibia'"),
        ("HO", {"size": [30, 20], "counts": [600]}, "30 x 20"),
        ("HO", {"size": [20, 30], "counts": [10, 20]}, "30"),
        ("HO", {"size": [20, 30], "counts": "P"}, "string"),
    ],
)
def test_coco_mistakes_are_named(
    tmp_path: Path, label: str, segmentation: object, message: str
) -> None:
    path = coco_with_polygon(tmp_path, label, segmentation)
    with pytest.raises(InputError, match=message) as caught:
        open_dataset(path).films[0].read()
    assert str(path) in str(caught.value)


def test_coco_that_is_not_coco(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"images": [{"id": 1}], "annotations": [], "categories": []}')
    with pytest.raises(InputError, match=r"images\.0\.file_name"):
        open_dataset(path, "coco")


def test_labelme_shapes(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((40, 40), 700, np.uint16))
    content = {
        "shapes": [
            {"label": "pelvis", "points": [[2, 2], [12, 8]], "shape_type": "rectangle"},
            {"label": "ossification", "points": [[25, 25], [30, 25]], "shape_type": "circle"},
        ],
        "imagePath": "a.png", "imageHeight": 40, "imageWidth": 40, "imageData": None,
    }  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(content))
    masks = open_dataset(tmp_path).films[0].read().masks
    assert masks[5, 5] == 1
    assert masks[25, 25] == 8
    assert (masks == 8).sum() == pytest.approx(np.pi * 25, rel=0.2)


def test_nnunet_labels_by_name(images: list[LabelledImage], tmp_path: Path) -> None:
    writer = FORMATS["nnunet"].write
    assert writer is not None
    writer(images[:1], tmp_path)
    header = json.loads((tmp_path / "dataset.json").read_text())
    assert header["labels"]["pelvis+ossification"] == 9
    header["labels"] = {"background": 0, "femur": 1, "ho": 2}
    (tmp_path / "dataset.json").write_text(json.dumps(header))
    label = np.zeros(images[0].masks.shape, np.uint8)
    label[:10], label[10:20] = 1, 2
    cv2.imwrite(str(tmp_path / "labelsTr" / "film0.png"), label)
    masks = open_dataset(tmp_path).films[0].read().masks
    assert set(np.unique(masks)) == {0, 2, 8}
    label[30] = 3
    cv2.imwrite(str(tmp_path / "labelsTr" / "film0.png"), label)
    with pytest.raises(InputError, match="value 3"):
        open_dataset(tmp_path).films[0].read()


def test_dicom_seg_of_another_size(images: list[LabelledImage], tmp_path: Path) -> None:
    import pydicom

    writer = FORMATS["dicom_seg"].write
    assert writer is not None
    writer(images[:1], tmp_path)
    path = tmp_path / "film0.dcm"
    dataset = pydicom.dcmread(path)
    dataset.Rows, dataset.PixelData = 60, dataset.PixelData[: 60 * 90 * 2]
    dataset.save_as(path)
    with pytest.raises(InputError, match="70 x 90"):
        open_dataset(tmp_path).films[0].read()


def grades_csv(root: Path, rows: list[dict]) -> Path:
    cv2.imwrite(str(root / "a.png"), np.full((40, 40), 700, np.uint16))
    path = root / "grades.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["image", "patient", "side", "brooker"])
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_grades_alone(tmp_path: Path) -> None:
    rows = [
        {"image": "a.png", "patient": "p", "side": "left", "brooker": "III"},
        {"image": "a.png", "patient": "p", "side": "right", "brooker": "0"},
    ]
    dataset = open_dataset(grades_csv(tmp_path, rows))
    assert dataset.format == "grades"
    read = dataset.films[0].read()
    assert read.masks is None
    assert [(hip.side, hip.brooker) for hip in read.hips] == [("left", 3), ("right", 0)]


@pytest.mark.parametrize(
    ("row", "message"),
    [({"brooker": "5"}, "brooker = '5'"), ({"brooker": "1", "side": "up"}, "side = 'up'")],
)
def test_grades_outside_the_scale(tmp_path: Path, row: dict, message: str) -> None:
    path = grades_csv(tmp_path, [{"image": "a.png", **row}])
    with pytest.raises(InputError, match=message):
        open_dataset(path)


def test_nothing_recognises_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="one of the formats"):
        open_dataset(tmp_path)
    with pytest.raises(SettingError, match="existing"):
        open_dataset(tmp_path / "absent")


@pytest.mark.parametrize(
    ("name", "bit"),
    [("pelvis", 1), ("Femur_L", 2), ("right femur", 2), ("Heterotopic ossification", 8),
     ("HO", 8), ("Implant", 4), ("background", 0)],
)  # fmt: skip
def test_names_of_others(name: str, bit: int) -> None:
    assert structure_of(name) == bit


def test_inverted_films_are_written_bones_bright(
    images: list[LabelledImage], tmp_path: Path
) -> None:
    film = images[0].radiograph
    inverted = replace(film, display=replace(film.display, inverted=True))
    writer = FORMATS["folder"].write
    assert writer is not None
    writer([replace(images[0], radiograph=inverted)], tmp_path)
    pixels = open_dataset(tmp_path).films[0].read().radiograph.pixels.astype(int)
    np.testing.assert_array_equal(pixels, film.pixels.max() - film.pixels.astype(int))


@pytest.mark.parametrize("name", [n for n in writable() if n != "dicom_seg"])
def test_film_names_of_any_bytes(name: str, folder: Path, tmp_path: Path) -> None:
    films = tmp_path / os.fsdecode(b"in\xff")
    shutil.copytree(folder, films)
    for path in list(films.rglob("*.png")):
        path.rename(path.with_name(os.fsdecode(b"h\xfcft-") + path.name))
    dataset = open_dataset(films)
    assert len(dataset.films) > 1
    out = tmp_path / os.fsdecode(b"out\xff")
    assert convert(dataset, name, out, lambda: None) == len(dataset.films)
    for film in open_dataset(out, name).films:
        f"{film.case} {film.patient}".encode()  # raises for what cannot be written down
        assert film.case.startswith("h%FCft-")
        assert film.read().masks is not None
