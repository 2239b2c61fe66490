"""What other programs write, and people do to it, is read; else one sentence says what to do."""

import base64
import builtins
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from hoseg.datasets import FORMATS, open_dataset
from hoseg.datasets.check import check
from hoseg.datasets.labelled import LabelledImage
from hoseg.errors import HosegError, InputError, MissingExtra

SQUARE = [5, 5, 15, 5, 15, 12, 5, 12]  # rows 5-11, columns 5-14


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.arange(600, dtype=np.uint16).reshape(20, 30))
    return path


def coco_of(label: str = "femur", **changes: Any) -> dict[str, Any]:
    image = {"id": 7, "file_name": "a.png", "height": 20, "width": 30} | changes.pop("image", {})
    annotation = {"id": 1, "image_id": 7, "category_id": 3, "segmentation": [SQUARE]} | changes
    categories = [{"id": 3, "name": label}]
    return {"images": [image], "annotations": [annotation], "categories": categories}


def written(path: Path, content: object, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding=encoding)
    return path


def only_masks(path: Path, **options: Any) -> np.ndarray:
    (film,) = open_dataset(path, **options).films
    masks = film.read().masks
    assert masks is not None
    return masks


def said_of(path: Path, format: str) -> str:
    """What hoseg says of a film that cannot be read, "" of one that can."""
    try:
        open_dataset(path, format).films[0].read()
    except HosegError as error:
        return str(error)
    return ""


def is_square(masks: np.ndarray, bit: int = 2) -> bool:
    return bool((masks[5:12, 5:15] == bit).all() and not masks[:4].any() and not masks[14:].any())


# COCO


@pytest.mark.parametrize("root", [0, 1])
def test_a_category_without_annotations_says_nothing(tmp_path: Path, root: int) -> None:
    content = coco_of()
    content["categories"].insert(root, {"id": 0, "name": "hip-xray", "supercategory": "none"})
    content["categories"].append({"id": 9, "name": "unused", "supercategory": "hip-xray"})
    written(tmp_path / "annotations.json", content)
    picture(tmp_path / "a.png")
    assert is_square(only_masks(tmp_path))
    content["annotations"][0]["category_id"] = 0
    written(tmp_path / "annotations.json", content)
    with pytest.raises(InputError, match="hip-xray"):
        open_dataset(tmp_path)


def test_roboflow_folders_are_splits(tmp_path: Path) -> None:
    for part, name in (("train", "a"), ("valid", "b"), ("test", "c")):
        content = coco_of(image={"file_name": f"{name}.png"})
        written(tmp_path / part / "_annotations.coco.json", content)
        picture(tmp_path / part / f"{name}.png")
    films = open_dataset(tmp_path).films
    assert {film.case: film.split for film in films} == {"a": "train", "b": "val", "c": "test"}
    assert all(is_square(film.read().masks) for film in films)


@pytest.mark.parametrize("place", ["images/Train", "images", "images/default", "."])
def test_cvat_subsets(tmp_path: Path, place: str) -> None:
    written(tmp_path / "annotations" / "instances_Train.json", coco_of())
    picture(tmp_path / place / "a.png")
    dataset = open_dataset(tmp_path)
    assert [film.split for film in dataset.films] == ["train"]
    assert is_square(only_masks(tmp_path))
    assert is_square(only_masks(tmp_path / "annotations" / "instances_Train.json"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-8"])
def test_byte_order_marks(tmp_path: Path, encoding: str) -> None:
    written(tmp_path / "annotations.json", coco_of(image={"file_name": "Hüfte.png"}), encoding)
    picture(tmp_path / "images" / "Hüfte.png")
    assert is_square(only_masks(tmp_path))


@pytest.mark.parametrize(
    "name", ["sub\\a.png", ".\\sub\\a.png", "sub/a.png", "C:\\x\\sub\\a.png", "/data/upload/a.png"]
)
def test_names_of_other_machines(tmp_path: Path, name: str) -> None:
    written(tmp_path / "annotations.json", coco_of(image={"file_name": name}))
    picture(tmp_path / "images" / ("sub/a.png" if name[-9:] in ("sub\\a.png", "sub/a.png")
                                   and ":" not in name else "a.png"))  # fmt: skip
    assert is_square(only_masks(tmp_path))


def run_lengths(mask: np.ndarray) -> list[int]:
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    return np.diff([0, *edges, flat.size]).tolist()


def test_every_kind_of_segmentation(tmp_path: Path) -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[5:12, 5:15] = 1
    counts = run_lengths(mask)
    coder = pytest.importorskip("pycocotools.mask")
    compressed = coder.encode(np.asfortranarray(mask))["counts"].decode()
    kinds = [
        [SQUARE], SQUARE, {"size": [20, 30], "counts": counts},
        {"size": [20, 30], "counts": compressed}, [SQUARE, [1, 1, 2, 2], [3, 3], []],
    ]  # fmt: skip
    picture(tmp_path / "a.png")
    for kind in kinds:
        written(tmp_path / "annotations.json", coco_of(segmentation=kind))
        assert (only_masks(tmp_path)[5:12, 5:15] == 2).all()
    findings = check(open_dataset(tmp_path, spacing_mm=5.0))[1]
    assert [f.text for f in findings if f.code == "no_area"] == [
        "an outline of 'femur' has fewer than three points: nothing is in it"
    ]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"segmentation": []}, "box without an outline"),
        ({"segmentation": None}, "box without an outline"),
        ({"segmentation": [[1, 2, 3, 4, 5, 6, 7]]}, "7 numbers"),
        ({"segmentation": [[1, 1, 1e300, 1, 5, 5]]}, "corner"),
        ({"segmentation": {"size": [20, 30], "counts": [2**70]}}, "sum to"),
        ({"segmentation": {"size": [20, 30], "counts": "o" * 99}}, "too long"),
        ({"segmentation": {"size": [20, 30], "counts": [-1, 601]}}, "sum to"),
        ({"image": {"height": 10**9, "width": 10**9}}, "1000000000 x 1000000000"),
        ({"image": {"spacing_mm": -1}}, "spacing_mm"),
        ({"image": {"height": 0}}, "height = 0"),
    ],
)
def test_mistakes_in_coco(tmp_path: Path, changes: dict[str, Any], what: str) -> None:
    written(tmp_path / "annotations.json", coco_of(**changes))
    picture(tmp_path / "a.png")
    with pytest.raises(InputError, match=what):
        open_dataset(tmp_path).films[0].read()


# LabelMe


def labelme(root: Path, shapes: list[dict[str, Any]], **changes: Any) -> Path:
    content = {"shapes": shapes, "imagePath": "a.png", "imageHeight": 20, "imageWidth": 30}
    return written(root / "a.json", content | changes)


def femur(**changes: Any) -> dict[str, Any]:
    points = np.reshape(SQUARE, (-1, 2)).tolist()
    return {"label": "femur", "points": points, "shape_type": "polygon"} | changes


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("/home/reader/films/a.png", "a.png"),
        ("C:\\Users\\reader\\a.png", "a.png"),
        ("D:/films/a.png", "images/a.png"),
        ("..\\images\\a.png", "../images/a.png"),
        ("../images/a.png", "../images/a.png"),
        (".\\a.png", "a.png"),
        (None, "a.png"),
    ],
)
def test_pictures_of_labelme(tmp_path: Path, name: str | None, place: str) -> None:
    root = tmp_path / "labels"
    labelme(root, [femur()], imagePath=name)
    picture(root / place)
    assert is_square(only_masks(root))
    assert is_square(only_masks(root / "a.json", format="labelme"))


def test_labels_in_a_folder_beside_the_pictures(tmp_path: Path) -> None:
    labelme(tmp_path / "labels", [femur()], imagePath="..\\images\\a.png")
    picture(tmp_path / "images" / "a.png")
    assert is_square(only_masks(tmp_path))


def test_a_picture_within_the_labels(tmp_path: Path) -> None:
    data = picture(tmp_path / "b" / "a.png").read_bytes()
    text = base64.b64encode(data).decode()
    labelme(tmp_path / "set", [femur()], imageData=text)
    film = open_dataset(tmp_path / "set", spacing_mm=0.5).films[0].read()
    assert is_square(film.masks)
    assert film.radiograph.pixels[0, 29] == 29
    assert film.radiograph.spacing.mean_mm == 0.5
    for wrong in ("!!!", base64.b64encode(b"no picture").decode(), "AAAA"):
        labelme(tmp_path / "set", [femur()], imageData=wrong)
        with pytest.raises(InputError):
            open_dataset(tmp_path / "set").films[0].read()


def mask_shape(mask: np.ndarray, corner: tuple[float, float]) -> dict[str, Any]:
    png = cv2.imencode(".png", mask)[1].tobytes()
    end = [corner[0] + mask.shape[1] - 1, corner[1] + mask.shape[0] - 1]
    text = base64.b64encode(png).decode()
    return {"label": "femur", "points": [list(corner), end], "shape_type": "mask", "mask": text}


@pytest.mark.parametrize(
    "shape",
    [
        femur(),
        femur(shape_type=None),
        femur(shape_type="rotation"),
        femur(points=[[5, 5], [15, 12]], shape_type="rectangle"),
        femur(points=[[15, 12], [5, 5]], shape_type="rectangle"),
        femur(shape_type="rectangle"),
        mask_shape(np.full((7, 10), 255, np.uint8), (5, 5)),
        mask_shape(np.ones((7, 10), np.uint8), (5.0, 5.0)),
    ],
)
def test_shapes_of_labelme(tmp_path: Path, shape: dict[str, Any]) -> None:
    picture(tmp_path / "a.png")
    labelme(tmp_path, [shape], imageHeight=None, imageWidth=None)
    assert is_square(only_masks(tmp_path))


def test_holes_of_a_mask_stay(tmp_path: Path) -> None:
    mask = np.ones((7, 10), np.uint8)
    mask[2:4, 3:5] = 0
    picture(tmp_path / "a.png")
    labelme(tmp_path, [mask_shape(mask, (5, 5))])
    np.testing.assert_array_equal(only_masks(tmp_path)[5:12, 5:15], mask * 2)


@pytest.mark.parametrize(
    ("kind", "points"),
    [("point", 1), ("line", 2), ("linestrip", 3), ("points", 2), ("polygon", 2), ("polygon", 1)],
)
def test_marks_without_an_area_are_left_out_and_said(
    tmp_path: Path, kind: str, points: int
) -> None:
    picture(tmp_path / "a.png")
    mark = {"label": "femur", "points": [[1, 1], [9, 9], [1, 9]][:points], "shape_type": kind}
    landmark = mark | {"label": "centre of the head", "shape_type": "point", "points": [[3, 3]]}
    labelme(tmp_path, [femur(), mark, landmark])
    assert is_square(only_masks(tmp_path))
    findings = check(open_dataset(tmp_path, spacing_mm=5.0))[1]
    said = [finding for finding in findings if finding.code == "no_area"]
    assert [finding.severity for finding in said] == ["warning"] * 2
    assert f"is a {kind} of {points} points" in said[0].text


@pytest.mark.parametrize(
    "shape",
    [
        femur(shape_type="cuboid"),
        femur(shape_type="circle", points=[[3, 3]]),
        femur(shape_type="mask"),
        femur(shape_type="mask", mask="AAAA"),
        femur(label="tibia"),
        mask_shape(np.ones((7, 10), np.uint8), (25, 5)),
        mask_shape(np.ones((7, 10), np.uint8), (-1, 5)),
        femur(points=[[1, 1], [2e9, 5], [4, 4]]),
    ],
)
def test_shapes_that_cannot_be_drawn(tmp_path: Path, shape: dict[str, Any]) -> None:
    picture(tmp_path / "a.png")
    labelme(tmp_path, [shape])
    with pytest.raises(InputError, match=r"a\.json"):
        open_dataset(tmp_path).films[0].read()


# nnU-Net


def nnunet(root: Path, header: dict[str, Any], label: np.ndarray) -> Path:
    picture(root / "imagesTr" / "x_0000.png")
    (root / "labelsTr").mkdir(exist_ok=True)
    cv2.imwrite(str(root / "labelsTr" / "x.png"), label)
    written(root / "dataset.json", header)
    return root


def values() -> np.ndarray:
    label = np.zeros((20, 30), np.uint8)
    label[5:12, 5:15], label[15:] = 1, 2
    return label


def test_version_one(tmp_path: Path) -> None:
    header = {"modality": {"0": "XR"}, "labels": {"0": "background", "1": "femur", "2": "HO"}}
    masks = only_masks(nnunet(tmp_path, header, values()))
    assert (masks[5:12, 5:15] == 2).all()
    assert (masks[15:] == 8).all()


def test_a_value_of_two_regions_and_an_unknown_part(tmp_path: Path) -> None:
    header = {
        "labels": {"background": 0, "femur": [1, 2], "ossification": [2], "ignore": 3},
        "file_ending": ".png",
    }
    label = values()
    label[0] = 3
    film = open_dataset(nnunet(tmp_path, header, label)).films[0].read()
    assert film.masks is not None
    assert (film.masks[15:] == 10).all()
    assert (film.masks[0] == 0).all()
    assert film.ignore is not None
    assert (film.ignore[0] == 15).all()
    assert not film.ignore[1:].any()


def test_names_of_values_that_do_not_occur(tmp_path: Path) -> None:
    header = {"labels": {"background": 0, "femur": 1, "HO": 2, "tibia": 3}, "file_ending": ".png"}
    assert only_masks(nnunet(tmp_path, header, values())).any()
    header["labels"] = {"background": 0, "femur": 1, "tibia": 2}
    with pytest.raises(InputError, match="'tibia'"):
        only_masks(nnunet(tmp_path, header, values()))


@pytest.mark.parametrize(
    "labels", [{"femur": 300}, {"femur": -1}, {"femur": [1, 999]}, {"x": "femur"}, {"femur": 1.5}]
)
def test_values_outside_a_byte(tmp_path: Path, labels: dict[str, Any]) -> None:
    header = {"labels": labels, "file_ending": ".png"}
    with pytest.raises(InputError, match="labels"):
        open_dataset(nnunet(tmp_path, header, values()))


def test_nifti_without_nibabel_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = {"labels": {"background": 0, "femur": 1}, "file_ending": ".nii.gz"}
    nnunet(tmp_path, header, values())
    for place in ("imagesTr/x_0000.nii.gz", "labelsTr/x.nii.gz"):
        (tmp_path / place).write_bytes(b"\x1f\x8b")
    true_import = builtins.__import__

    def without(name: str, *others: Any) -> Any:
        if name == "nibabel":
            raise ImportError(name)
        return true_import(name, *others)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match="pip install nibabel"):
        open_dataset(tmp_path).films[0].read()


@pytest.mark.parametrize("shape", [(30, 20), (30, 20, 1), (30, 20, 1, 1)])
def test_nifti_of_one_image(tmp_path: Path, shape: tuple[int, ...]) -> None:
    nibabel = pytest.importorskip("nibabel")
    header = {"labels": {"0": "background", "1": "femur", "2": "HO"}}
    nnunet(tmp_path, header, values())
    (tmp_path / "imagesTr" / "x_0000.png").unlink()
    affine = np.diag([0.4, 0.5, 1, 1])
    image = np.arange(600, dtype=np.float32).reshape(20, 30).T.reshape(shape)
    nibabel.save(nibabel.Nifti1Image(image, affine), tmp_path / "imagesTr" / "x_0000.nii.gz")
    label = values().T.reshape(shape)
    nibabel.save(nibabel.Nifti1Image(label, affine), tmp_path / "labelsTr" / "x.nii.gz")
    film = open_dataset(tmp_path).films[0].read()
    assert film.radiograph.spacing is not None
    assert film.radiograph.spacing.mm == pytest.approx((0.5, 0.4))
    np.testing.assert_array_equal(film.masks == 2, values() == 1)


def test_damaged_nifti(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    nnunet(tmp_path, {"labels": {"0": "background", "1": "femur"}}, values())
    (tmp_path / "imagesTr" / "x_0000.png").unlink()
    path = tmp_path / "imagesTr" / "x_0000.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones((30, 20, 4), np.float32), np.eye(4)), path)
    (tmp_path / "labelsTr" / "x.nii.gz").write_bytes(path.read_bytes())
    with pytest.raises(InputError, match="expected one 2D image"):
        open_dataset(tmp_path).films[0].read()
    whole = path.read_bytes()
    for data in (b"", b"x", whole[:40], whole[:-9], whole[:30] + b"\0" * 9 + whole[39:]):
        for file in (path, tmp_path / "labelsTr" / "x.nii.gz"):
            file.write_bytes(data)
        with pytest.raises(InputError):
            open_dataset(tmp_path).films[0].read()


# DICOM Segmentation


def seg_set(images: list[LabelledImage], root: Path) -> Dataset:
    writer = FORMATS["dicom_seg"].write
    assert writer is not None
    writer(images[:1], root)
    return pydicom.dcmread(root / "film0.seg.dcm")


@pytest.mark.parametrize("references", ["frames", "none"])
def test_a_segmentation_without_referenced_series(
    images: list[LabelledImage], tmp_path: Path, references: str
) -> None:
    segmentation = seg_set(images, tmp_path)
    del segmentation.ReferencedSeriesSequence
    if references == "none":
        for group in segmentation.PerFrameFunctionalGroupsSequence:
            if "DerivationImageSequence" in group:
                del group.DerivationImageSequence
        for group in segmentation.SharedFunctionalGroupsSequence:
            if "DerivationImageSequence" in group:
                del group.DerivationImageSequence
        for keyword in ("SourceImageSequence", "ReferencedImageSequence"):
            if keyword in segmentation:
                del segmentation[keyword]
    segmentation.save_as(tmp_path / "film0.seg.dcm")
    np.testing.assert_array_equal(only_masks(tmp_path), images[0].masks)


def test_dicom_without_suffixes(images: list[LabelledImage], tmp_path: Path) -> None:
    seg_set(images, tmp_path)
    for number, path in enumerate(sorted(tmp_path.glob("*.dcm"))):
        path.rename(tmp_path / f"IM{number:04d}")
    (tmp_path / "notes").write_text("not DICOM")
    assert open_dataset(tmp_path).format == "dicom_seg"
    np.testing.assert_array_equal(only_masks(tmp_path), images[0].masks)


def test_segmentations_without_their_images(images: list[LabelledImage], tmp_path: Path) -> None:
    seg_set(images, tmp_path)
    (tmp_path / "film0.dcm").unlink()
    with pytest.raises(InputError, match="refer to none of the 0 DICOM images"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    "keyword",
    ["SegmentSequence", "PerFrameFunctionalGroupsSequence", "PixelData", "SegmentationType",
     "Rows", "SharedFunctionalGroupsSequence", "BitsAllocated", "NumberOfFrames"],
)  # fmt: skip
def test_segmentations_that_lack_something(
    images: list[LabelledImage], tmp_path: Path, keyword: str
) -> None:
    segmentation = seg_set(images, tmp_path)
    for change in ("empty", "gone"):
        if change == "gone":
            del segmentation[keyword]
        else:
            segmentation[keyword].value = None
        segmentation.save_as(tmp_path / "film0.seg.dcm")
        assert len(said_of(tmp_path, "dicom_seg").splitlines()) <= 1


# Tables


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_of_spreadsheets(tmp_path: Path, encoding: str, delimiter: str) -> None:
    lines = [
        ["image", "side", "brooker", "gap_mm"],
        ["a.png", "left", "III", "8,5"],
        [""],
        ["", ""],
    ]
    if delimiter == ",":
        lines[1][3] = "8.5"
    text = "\r\n".join(delimiter.join(line) for line in lines)
    (tmp_path / "grades.csv").write_bytes(text.encode(encoding))
    picture(tmp_path / "a.png")
    (film,) = open_dataset(tmp_path / "grades.csv").films
    (hip,) = film.read().hips
    assert (hip.side, hip.brooker, hip.gap_mm) == ("left", 3, 8.5)


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"image,brooker\n\xff\xfe,1\n", b"image\n", b"image,brooker\na.png\n",
     b"image,brooker\na.png,1,2,3,4\n", b'image,brooker\n"a.png,1\n', b"image,brooker\n\0,1\n",
     b"image,brooker\n" + b"x" * 200_000 + b",1\n", b"image,brooker,gap_mm\na.png,1,inf\n"],
)  # fmt: skip
def test_damaged_tables(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "grades.csv").write_bytes(data)
    picture(tmp_path / "a.png")
    assert len(said_of(tmp_path / "grades.csv", "grades")) < 500


def test_litter_beside_films_is_no_film(folder: Path) -> None:
    for name in (".DS_Store", "._film0.png", "Thumbs.db"):
        (folder / "images" / name).write_bytes(b"x")
    assert len(open_dataset(folder).films) == 4
