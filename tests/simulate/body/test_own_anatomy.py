"""``hoseg simulate`` and training on researchers' own anatomy, end to end."""

import json

import cv2
import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from hoseg.cli.simulate import app
from hoseg.errors import InputError, SettingError
from hoseg.radiograph import Structure
from hoseg.simulate.body.llp26 import Llp26
from hoseg.simulate.body.meshes import Mesh
from hoseg.simulate.body.own_anatomy import AnatomySettings, parse_labels
from hoseg.simulate.body.skeleton import SIDES
from hoseg.simulate.body.sources import People
from hoseg.simulate.stream import StreamSettings
from hoseg.train.pool import GeometryPool

from .test_sources import write_stl

BONES = ("pelvis_left", "pelvis_right", "femur_left", "femur_right")


@pytest.fixture(scope="module")
def person():
    return Llp26().sample(np.random.default_rng(0))


@pytest.fixture(scope="module")
def meshes(tmp_path_factory, person):
    folder = tmp_path_factory.mktemp("meshes")
    for side in SIDES:
        write_stl(folder / f"pelvis_{side.value}.stl", person.pelvis[side])
        write_stl(folder / f"femur_{side.value}.stl", person.femora[side])
    write_stl(folder / "sacrum.stl", person.sacrum)
    return folder


@pytest.fixture(scope="module")
def labelled(tmp_path_factory, person):
    """A label map of the person at 3 mm, painted along rays from the front."""
    step = 3.0
    every = [person.pelvis[s] for s in SIDES] + [person.femora[s] for s in SIDES]
    low = np.min([m.vertices.min(axis=0) for m in every], axis=0) - 6
    high = np.max([m.vertices.max(axis=0) for m in every], axis=0) + 6
    shape = np.ceil((high - low) / step).astype(int)
    labels = np.zeros(shape, np.uint8)
    for value, mesh in zip((77, 78, 75, 76), every, strict=True):
        labels[_inside(mesh, low, step, shape)] = value
    # Patient axes are left, posterior, up; NIfTI's are right, anterior, up.
    affine = np.diag([-step, -step, step, 1.0])
    affine[:3, 3] = low * (-1, -1, 1)
    path = tmp_path_factory.mktemp("ct") / "labels.nii.gz"
    nibabel.save(nibabel.Nifti1Image(labels, affine), path)
    return path, "pelvis_right=77,pelvis_left=78,femur_right=75,femur_left=76"


def _inside(mesh, low, step, shape):
    """Voxels inside a closed surface: slices of its cross-sections, filled."""
    inside = np.zeros(shape, bool)
    corners = mesh.vertices[mesh.faces]
    for k in range(shape[2]):
        z = low[2] + step * k + 1e-4
        above = corners[..., 2] > z
        canvas = np.zeros((shape[1] * 4, shape[0] * 4), np.uint8)
        for triangle, side in zip(
            corners[above.any(1) & ~above.all(1)], above[above.any(1) & ~above.all(1)], strict=True
        ):
            ends = []
            for a, b in ((0, 1), (1, 2), (2, 0)):
                if side[a] != side[b]:
                    t = (z - triangle[a, 2]) / (triangle[b, 2] - triangle[a, 2])
                    ends.append(triangle[a] + t * (triangle[b] - triangle[a]))
            points = np.round((np.array(ends)[:, :2] - low[:2]) / step * 4).astype(int)
            cv2.line(canvas, points[0].tolist(), points[1].tolist(), 1)
        outlines, _ = cv2.findContours(canvas, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, outlines, -1, 1, cv2.FILLED)
        inside[:, :, k] = canvas[::4, ::4].T > 0
    return inside


def simulate(out, *options):
    arguments = ["--out", str(out), "--count", "1", "--spacing-mm", "1.2", "--json", "--workers"]
    return CliRunner().invoke(app, [*arguments, "1", "--seed", "2", *options])


@pytest.mark.parametrize("kind", ["meshes", "label map"])
def test_films_of_own_anatomy(tmp_path, meshes, labelled, kind):
    path, labels = labelled
    options = {
        "meshes": ("--meshes", str(meshes)),
        "label map": ("--label-map", str(path), "--labels", labels),
    }[kind]
    result = simulate(tmp_path / "a", *options)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["films"] == 1
    masks = cv2.imread(str(tmp_path / "a/000000/masks.png"), cv2.IMREAD_UNCHANGED)
    for bit in (Structure.PELVIS, Structure.FEMUR):
        assert ((masks & bit) > 0).sum() * 1.2**2 > 4_000
    simulate(tmp_path / "b", *options)
    simulate(tmp_path / "c")
    first, again, other = (
        (tmp_path / name / "000000/image.png").read_bytes() for name in ("a", "b", "c")
    )
    assert first == again
    assert first != other


def test_a_folder_of_people(tmp_path, meshes):
    for name in ("anna", "ben"):
        (tmp_path / name).symlink_to(meshes, target_is_directory=True)
    source = AnatomySettings(str(tmp_path)).source()
    assert isinstance(source, People)
    assert len(source.everyone) == 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"meshes": "no/such"}, "meshes = 'no/such'; expected an existing folder"),
        ({"label_map": "ct.dcm"}, r"label_map = 'ct.dcm'.*\.nii or \.nii\.gz"),
        ({"labels": {"femur_left": 1}}, "labels.*a label_map"),
    ],
)
def test_bad_settings_name_themselves(settings, said):
    with pytest.raises(SettingError, match=said):
        AnatomySettings(**settings)


def test_labels_are_checked(labelled):
    path, labels = labelled
    with pytest.raises(SettingError, match=r"labels.*BONE=NUMBER"):
        parse_labels("pelvis_left:3")
    with pytest.raises(SettingError, match=r"labels\.skull.*pelvis_right, pelvis_left"):
        AnatomySettings(label_map=str(path), labels={"skull": 3})
    with pytest.raises(SettingError, match="a value for each of pelvis_right"):
        AnatomySettings(label_map=str(path), labels={"pelvis_left": 3})
    with pytest.raises(SettingError, match="not both"):
        AnatomySettings(str(path.parent), str(path), parse_labels(labels))
    wrong = {**parse_labels(labels), "sacrum": 5}
    with pytest.raises(InputError, match=r"no voxel has label 5 \(sacrum\); it holds 0, 75, 76"):
        AnatomySettings(label_map=str(path), labels=wrong).source()


def test_an_open_mesh_is_refused_by_name(tmp_path, meshes):
    for path in meshes.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "pelvis_left.stl").unlink()
    with pytest.raises(InputError, match="no pelvis_left"):
        AnatomySettings(str(tmp_path)).source()
    ball = Llp26().sample(np.random.default_rng(1)).pelvis[SIDES[1]]
    write_stl(tmp_path / "pelvis_left.stl", Mesh(ball.vertices, ball.faces[5:]))
    # a new name, because a folder is read once
    again = tmp_path.rename(tmp_path.with_name("open"))
    result = simulate(tmp_path / "out", "--meshes", str(again))
    assert isinstance(result.exception, SettingError)
    assert "mesh pelvis_left.stl" in str(result.exception)
    assert "a closed, consistently oriented surface" in str(result.exception)


def test_a_training_pool_is_of_its_anatomy(tmp_path, meshes):
    settings = StreamSettings(spacing_mm=2.0, anatomy=AnatomySettings(str(meshes)))
    own, model = (GeometryPool(tmp_path, 0, s) for s in (settings, StreamSettings(spacing_mm=2.0)))
    assert own.folder != model.folder
    assert (own.layers(0).masks > 0).any()
