import numpy as np
import pytest

from hoseg.simulate.body.blobs import grid_about, nearest_on_line, piece_with, rough_noise, surface
from hoseg.simulate.body.meshes import joined, subdivision, surface_noise, tube, unit_sphere
from hoseg.simulate.body.projector import check_closed


def test_sphere_is_closed_and_has_its_volume():
    sphere = unit_sphere(80)
    check_closed(sphere.faces, "sphere")
    assert sphere.volume_mm3 == pytest.approx(4 / 3 * np.pi, rel=2e-3)
    outward = np.einsum("ij,ij->i", sphere.normals(), sphere.vertices)
    assert outward.min() > 0.95


def test_subdivision_keeps_a_surface_closed_and_in_place():
    sphere = unit_sphere(12)
    matrix, faces = subdivision(sphere.faces)
    finer = matrix @ sphere.vertices
    check_closed(faces, "finer")
    assert len(faces) == 4 * len(sphere.faces)
    np.testing.assert_allclose(np.asarray(matrix.sum(axis=1)).ravel(), 1)
    radius = np.linalg.norm(finer, axis=1)
    assert radius.min() > 0.9
    assert radius.max() < 1.001


def test_tubes_are_closed_with_outward_faces():
    bent = tube(
        lambda t: np.stack([20 * t, 30 * t * t, 10 * np.sin(3 * t)], axis=1),
        lambda t: 3 + 0 * t, 20, 12,
    )  # fmt: skip
    for mesh in (bent, joined([bent, bent])):
        check_closed(mesh.faces, "shape")
        assert mesh.volume_mm3 > 0


def test_surface_noise_has_unit_spread():
    points = np.random.default_rng(0).uniform(-200, 200, (20_000, 3))
    assert surface_noise(points, 10, np.random.default_rng(1)).std() == pytest.approx(1, abs=0.1)


def test_nearest_on_line_is_exact_on_a_straight_line():
    line = np.array([[0, 0, 0], [0, 0, 10], [0, 0, 40.0]])
    grid = grid_about(line, 10, 20_000)
    share, distance = nearest_on_line(grid, line, np.ones(3))
    axes = [o + grid.step_mm * np.arange(n) for o, n in zip(grid.origin, grid.shape, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    np.testing.assert_allclose(share, z / 40, atol=1e-5)
    beyond = z - np.clip(z, 0, 40)
    np.testing.assert_allclose(distance, np.sqrt(x * x + y * y + beyond**2), atol=1e-4)


def test_surface_keeps_the_seeded_piece_only():
    line = np.array([[0, 0, 0], [0, 0, 60.0]])
    grid = grid_about(line, 12, 100_000)
    _, distance = nearest_on_line(
        grid, line[:1].repeat(2, 0) + [[0, 0, 0], [0, 0, 1e-3]], np.ones(3)
    )
    _, other = nearest_on_line(grid, line[1:].repeat(2, 0) + [[0, 0, 0], [0, 0, 1e-3]], np.ones(3))
    field = np.maximum(8 - distance, 5 - other)
    both, one = surface(grid, field), surface(grid, piece_with(grid, field, line[0]))
    assert both is not None
    assert one is not None
    for mesh, volume in ((one, 8**3), (both, 8**3 + 5**3)):
        check_closed(mesh.faces, "blob")
        assert mesh.volume_mm3 == pytest.approx(4 / 3 * np.pi * volume, rel=0.03)
    assert piece_with(grid, field, line.mean(axis=0)) is None
    assert surface(grid, np.full(grid.shape, -1, np.float32)) is None


def test_a_blob_cut_by_the_border_of_its_grid_is_still_closed():
    rng = np.random.default_rng(0)
    grid = grid_about(np.zeros((1, 3)), 10, 20_000)
    mesh = surface(grid, rough_noise(grid, 8, 0.5, rng))
    assert mesh is not None
    check_closed(mesh.faces, "blob")
