import numpy as np
import pytest

from hoseg.errors import InputError, SettingError
from hoseg.radiograph import Structure
from hoseg.simulate.body.llp26 import Llp26
from hoseg.simulate.body.mesh_files import read_mesh
from hoseg.simulate.body.meshes import unit_sphere
from hoseg.simulate.body.projector import Camera, ray_lengths
from hoseg.simulate.body.skeleton import SIDES
from hoseg.simulate.body.sources import label_map, mesh_folder
from hoseg.simulate.patient.patient import sample_scene
from hoseg.simulate.patient.scene import project
from hoseg.simulate.patient.settings import SceneSettings


@pytest.fixture(scope="module")
def person():
    return Llp26().sample(np.random.default_rng(0))


def write_obj(path, mesh):
    lines = [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in mesh.vertices]
    lines += [f"f {a}//{a} {b}//{b} {c}//{c}" for a, b, c in mesh.faces + 1]
    path.write_text("\n".join(lines))


def write_stl(path, mesh):
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("rest", "<u2")])
    table = np.zeros(len(mesh.faces), record)
    table["corners"] = mesh.vertices[mesh.faces]
    path.write_bytes(b"\0" * 80 + np.uint32(len(table)).tobytes() + table.tobytes())


def write_ply(path, mesh, binary):
    kind = "binary_little_endian" if binary else "ascii"
    header = (f"ply\nformat {kind} 1.0\nelement vertex {len(mesh.vertices)}\n"
              "property float x\nproperty float y\nproperty float z\n"
              f"element face {len(mesh.faces)}\nproperty list uchar int vertex_indices\n"
              "end_header\n")  # fmt: skip
    if binary:
        faces = np.zeros(len(mesh.faces), np.dtype([("n", "u1"), ("i", "<i4", 3)]))
        faces["n"], faces["i"] = 3, mesh.faces
        body = mesh.vertices.astype("<f4").tobytes() + faces.tobytes()
    else:
        rows = [" ".join(f"{x:.5f}" for x in v) for v in mesh.vertices]
        rows += ["3 " + " ".join(map(str, f)) for f in mesh.faces]
        body = "\n".join(rows).encode()
    path.write_bytes(header.encode() + body)


@pytest.mark.parametrize("form", ["obj", "stl", "ply", "ply-ascii"])
def test_a_sphere_survives_every_format(tmp_path, form):
    sphere = unit_sphere(20)
    sphere = sphere.moved(sphere.vertices * 30 + [5, 6, 7])
    path = tmp_path / f"ball.{form.split('-')[0]}"
    if form == "obj":
        write_obj(path, sphere)
    elif form == "stl":
        write_stl(path, sphere)
    else:
        write_ply(path, sphere, form == "ply")
    mesh = read_mesh(path)
    assert len(mesh.faces) == len(sphere.faces)
    assert mesh.volume_mm3 == pytest.approx(sphere.volume_mm3, rel=1e-4)
    camera = Camera((0, -1000, 0), 100, (-60, 60), 2.0, (61, 61))
    np.testing.assert_allclose(
        ray_lengths(camera, mesh.vertices, mesh.faces),
        ray_lengths(camera, sphere.vertices, sphere.faces),
        atol=0.05,
    )


def test_inward_faces_are_turned_and_open_ones_refused(tmp_path):
    sphere = unit_sphere(10)
    write_obj(tmp_path / "in.obj", sphere.__class__(sphere.vertices, sphere.faces[:, ::-1]))
    assert read_mesh(tmp_path / "in.obj").volume_mm3 > 0
    write_obj(tmp_path / "open.obj", sphere.__class__(sphere.vertices, sphere.faces[3:]))
    with pytest.raises(SettingError, match=r"mesh open.obj.*open edges"):
        read_mesh(tmp_path / "open.obj")
    (tmp_path / "bad.stl").write_bytes(b"solid nothing\nendsolid")
    with pytest.raises(InputError, match=r"bad\.stl"):
        read_mesh(tmp_path / "bad.stl")


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
