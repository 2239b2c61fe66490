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
from hoseg.simulate.body.own_anatomy import (
    AnatomySettings,
    People,
    label_map,
    mesh_folder,
    parse_labels,
)
from hoseg.simulate.body.skeleton import SIDES
from hoseg.simulate.patient.projection import project
from hoseg.simulate.patient.scene import sample_scene
from hoseg.simulate.patient.settings import SceneSettings
from hoseg.simulate.stream import StreamSettings
from hoseg.train.geometry_pool import GeometryPool

from .test_mesh_files import write_stl

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


def test_a_mesh_folder_makes_films(tmp_path, person):
    for side in SIDES:
        write_stl(tmp_path / f"pelvis_{side.value}.stl", person.pelvis[side])
    write_stl(tmp_path / "femur_left.stl", person.femora[SIDES[1]])
    source = mesh_folder(tmp_path)
    found = source.surfaces
    for side in SIDES:
        _, radius = found.heads[side]
        assert radius == pytest.approx(person.heads[side][1], abs=1.0)
        assert found.sockets[side][1] > radius - 1
    np.testing.assert_allclose(found.heads[SIDES[1]][0], person.heads[SIDES[1]][0], atol=1.0)
    settings = SceneSettings(
        brooker={"0": 1.0}, implants={"none": 1.0}, views={"ap_pelvis": 1.0}, osteophytes=0
    )
    scene = sample_scene(settings, np.random.default_rng(0), source)
    layers = project(scene, 1.5)
    assert not layers.sacrum[layers.masks > 0].all()
    for bit in (Structure.PELVIS, Structure.FEMUR):
        area = ((layers.masks & bit) > 0).sum() * 1.5**2
        assert 10_000 < area < 70_000


def test_a_missing_bone_is_named(tmp_path, person):
    write_stl(tmp_path / "pelvis_left.stl", person.pelvis[SIDES[1]])
    with pytest.raises(InputError, match="no pelvis_right"):
        mesh_folder(tmp_path)


def test_a_label_map_gives_the_surfaces_back():
    # Spheres as bones: the label map of a ball on a stick has a head of that radius.
    spacing = 1.5
    grid = np.indices((120, 50, 130)).transpose(1, 2, 3, 0) * spacing
    labels = np.zeros(grid.shape[:3], np.uint8)
    values = {"pelvis_right": 1, "pelvis_left": 2, "femur_right": 3, "femur_left": 4}
    # NIfTI axes: x to the right is index 0 decreasing here, so the left hip has the low index.
    for side, x in (("right", 130.0), ("left", 50.0)):
        head = np.array([x, 36.0, 130.0])
        away = np.linalg.norm(grid - head, axis=-1)
        labels[(away > 26) & (away < 34) & (grid[..., 2] > 130)] = values[f"pelvis_{side}"]
        stick = np.hypot(grid[..., 0] - x, grid[..., 1] - 36) < 10
        labels[stick & (grid[..., 2] < 120) & (grid[..., 2] > 8)] = values[f"femur_{side}"]
        labels[away < 23] = values[f"femur_{side}"]
    affine = np.diag([spacing, spacing, spacing, 1.0])
    source = label_map(labels, affine, values)
    for side, x in zip(SIDES, (130.0, 50.0), strict=True):
        centre, radius = source.surfaces.heads[side]
        np.testing.assert_allclose(centre, [-x, -36, 130], atol=0.8)
        assert radius == pytest.approx(23, abs=0.8)
        assert source.surfaces.sockets[side][1] == pytest.approx(26, abs=1.5)
    with pytest.raises(InputError, match="no voxel has label 9"):
        label_map(labels, affine, {**values, "sacrum": 9})
