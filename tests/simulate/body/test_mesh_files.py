import numpy as np
import pytest

from hoseg.errors import InputError, SettingError
from hoseg.simulate.body.mesh_files import read_mesh
from hoseg.simulate.body.meshes import unit_sphere
from hoseg.simulate.body.projector import Camera, ray_lengths


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


def test_groups_materials_and_normals_leave_an_obj_as_it_is(tmp_path):
    sphere = unit_sphere(8)
    write_obj(tmp_path / "plain.obj", sphere)
    lines = (tmp_path / "plain.obj").read_text().splitlines()
    faces = [line for line in lines if line.startswith("f")]
    parts = [line for line in lines if line.startswith("v")] + ["vn 0 0 1"] * len(sphere.vertices)
    for number, line in enumerate(faces):
        parts += [f"o part{number // 40}", f"g g{number // 30}", f"usemtl m{number // 20}"]
        parts.append(line)
    (tmp_path / "parts.obj").write_text("mtllib none.mtl\n" + "\n".join(parts))
    plain, torn = read_mesh(tmp_path / "plain.obj"), read_mesh(tmp_path / "parts.obj")
    np.testing.assert_array_equal(torn.vertices, plain.vertices)
    np.testing.assert_array_equal(torn.faces, plain.faces)


def test_ply_with_quads_big_endian_and_properties_of_faces(tmp_path):
    corners = np.array([[x, y, z] for x in (0, 4) for y in (0, 5) for z in (0, 6)], ">f4")
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    header = ("ply\nformat binary_big_endian 1.0\nelement vertex 8\nproperty float x\n"
              "property float y\nproperty float z\nelement face 6\n"
              "property list uchar int vertex_indices\nproperty uchar red\n"
              "end_header\n")  # fmt: skip
    faces = np.zeros(6, np.dtype([("n", "u1"), ("i", ">i4", 4), ("red", "u1")]))
    faces["n"], faces["i"], faces["red"] = 4, quads, 200
    path = tmp_path / "box.ply"
    path.write_bytes(header.encode() + corners.tobytes() + faces.tobytes())
    mesh = read_mesh(path)
    assert len(mesh.faces) == 12
    assert mesh.volume_mm3 == pytest.approx(4 * 5 * 6)


@pytest.mark.parametrize("form", ["obj", "stl", "ply", "ply-ascii"])
def test_damage_is_one_error_that_names_the_file(tmp_path, form):
    sphere = unit_sphere(6)
    path = tmp_path / f"ball.{form.split('-')[0]}"
    if form == "obj":
        write_obj(path, sphere)
    elif form == "stl":
        write_stl(path, sphere)
    else:
        write_ply(path, sphere, form == "ply")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        data = bytearray(whole[: int(rng.integers(1, len(whole) + 1))])
        for place in rng.integers(0, min(len(data), 300), 3):
            data[place] = rng.integers(256)
        path.write_bytes(data)
        try:
            read_mesh(path)
        except (InputError, SettingError) as error:
            refused += "ball" in str(error)
    assert refused > 30


def test_coordinates_are_numbers(tmp_path):
    sphere = unit_sphere(6)
    write_obj(tmp_path / "nan.obj", sphere.moved(np.where(sphere.vertices > 0.9, np.nan, 1)))
    with pytest.raises(InputError, match="finite"):
        read_mesh(tmp_path / "nan.obj")
    with pytest.raises(InputError, match=r"expected one of \.stl, \.obj, \.ply"):
        read_mesh(tmp_path / "bone.gltf")
