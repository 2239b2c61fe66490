import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hoseg.errors import SettingError
from hoseg.simulate.body.meshes import Mesh, tube, unit_sphere
from hoseg.simulate.body.projector import Camera, check_closed, ray_lengths, ray_lengths_boxed

CAMERA = Camera((0.0, -1000.0, 0.0), 150.0, (-120.0, 120.0), 1.0, (241, 241))
FAR = Camera((0.0, -1e6, 0.0), 100.0, (-60.0, 60.0), 0.25, (481, 481))

BOX_FACES = np.array(
    [[0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7], [0, 1, 5], [0, 5, 4],
     [1, 2, 6], [1, 6, 5], [2, 3, 7], [2, 7, 6], [3, 0, 4], [3, 4, 7]], np.int32
)  # fmt: skip


def box(low, high):
    (x0, y0, z0), (x1, y1, z1) = low, high
    corners = [(x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0)]
    corners += [(x, y, z1) for x, y, _ in corners]
    return Mesh(np.array(corners, float), BOX_FACES)


def rays(camera):
    """Unit direction (H, W, 3) of the ray of every pixel."""
    rows, columns = np.indices(camera.shape)
    x = camera.corner_mm[0] + columns * camera.pixel_mm - camera.source_mm[0]
    z = camera.corner_mm[1] - rows * camera.pixel_mm - camera.source_mm[2]
    d = np.stack([x, np.full(x.shape, camera.source_detector_mm), z], axis=-1)
    return d / np.linalg.norm(d, axis=-1, keepdims=True)


def slab_lengths(camera, low, high):
    """Exact chord of every ray with an axis-aligned box."""
    d = rays(camera)
    source = np.array(camera.source_mm)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.stack([(np.array(low) - source) / d, (np.array(high) - source) / d])
    t = np.where(np.isnan(t), np.array([-np.inf, np.inf])[:, None, None, None], t)
    return np.maximum(t.max(axis=0).min(axis=-1) - t.min(axis=0).max(axis=-1), 0)


def sphere_lengths(camera, centre, radius):
    """(exact chord, distance of the ray from the centre) of every ray."""
    d = rays(camera)
    to = np.asarray(centre) - np.array(camera.source_mm)
    along = d @ to
    miss = np.sqrt(np.maximum(to @ to - along**2, 0))
    return 2 * np.sqrt(np.maximum(radius**2 - miss**2, 0)), miss


def test_box_equals_its_exact_chords():
    low, high = (-31.3, -20.2, -40.7), (22.9, 33.1, 27.4)
    mesh = box(low, high)
    length = ray_lengths(CAMERA, mesh.vertices, mesh.faces)
    exact = slab_lengths(CAMERA, low, high)
    # Away from edges: where the chord is smooth over the neighbouring pixels.
    bend = np.abs(ndimage.laplace(exact))
    away = (exact > 5) & (ndimage.maximum_filter(bend, 7) < 0.02)
    assert away.sum() > 3000
    np.testing.assert_allclose(length[away], exact[away], rtol=1e-3)


def test_sphere_equals_its_exact_chords():
    sphere = unit_sphere(160)
    centre, radius = np.array([12.0, 5.0, -8.0]), 40.0
    length = ray_lengths(CAMERA, sphere.vertices * radius + centre, sphere.faces)
    exact, miss = sphere_lengths(CAMERA, centre, radius)
    away = miss < 0.8 * radius
    np.testing.assert_allclose(length[away], exact[away], rtol=1e-3)
    assert np.all(length[miss > radius + 0.01] == 0)


def test_cylinder_along_the_beam_and_across_it():
    along = tube(
        lambda t: np.stack([0 * t, 60 * t - 30, 0 * t], axis=1), lambda t: 25 + 0 * t, 40, 256
    )
    # The ends of a tube are cones of one step: cut them flat.
    ends = along.vertices.copy()
    ends[:, 1] = np.clip(ends[:, 1], *along.vertices[[1, -2], 1])
    thick = along.vertices[-2, 1] - along.vertices[1, 1]
    length = ray_lengths(FAR, ends, along.faces)
    _, miss = sphere_lengths(FAR, (0, 0, 0), 1)
    np.testing.assert_allclose(length[miss < 20], thick, rtol=1e-3)
    across = tube(
        lambda t: np.stack([0 * t, 0 * t, 200 * t - 100], axis=1), lambda t: 30 + 0 * t, 10, 512
    )
    length = ray_lengths(FAR, across.vertices, across.faces)
    x = FAR.corner_mm[0] + FAR.pixel_mm * np.arange(FAR.shape[1])
    inner = np.abs(x) < 24
    exact = 2 * np.sqrt(30**2 - x[inner] ** 2)
    np.testing.assert_allclose(length[240, inner], exact, rtol=1e-3)


def test_volume_from_projection_equals_mesh_volume():
    rng = np.random.default_rng(3)
    sphere = unit_sphere(40)
    lumpy = sphere.vertices * 25 * (1 + 0.1 * np.sin(3 * sphere.vertices @ rng.normal(size=(3, 1))))
    mesh = sphere.moved(lumpy)
    pixel = FAR.pixel_mm / FAR.magnification(0.0)
    volume = ray_lengths(FAR, mesh.vertices, mesh.faces).sum() * pixel**2
    assert volume == pytest.approx(mesh.volume_mm3, rel=5e-3)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**31), shift=st.tuples(*[st.floats(-30, 30)] * 3))
def test_closed_surface_is_zero_outside_and_never_negative(seed, shift):
    rng = np.random.default_rng(seed)
    sphere = unit_sphere(8)
    mesh = sphere.moved(
        sphere.vertices * rng.uniform(5, 40, 3)
        + rng.normal(0, 0.5, sphere.vertices.shape)
        + np.array(shift)
    )
    length = ray_lengths(CAMERA, mesh.vertices, mesh.faces)
    pixels = CAMERA.to_pixels(mesh.vertices)
    low, high = pixels.min(axis=0) - 1, pixels.max(axis=0) + 1
    rows, columns = np.indices(CAMERA.shape)
    outside = (rows < low[0]) | (rows > high[0]) | (columns < low[1]) | (columns > high[1])
    assert np.all(length[outside] == 0)
    assert length.min() > -2.0  # folded triangles of the jitter may cross by that much
    # Watertight: an odd number of crossings would leave a length as large as the distance.
    assert length.max() < 130


def test_halves_add_up_to_the_whole():
    left, right = box((-20, -10, -15), (0, 10, 15)), box((0, -10, -15), (20, 10, 15))
    whole = box((-20, -10, -15), (20, 10, 15))
    parts = sum(ray_lengths(CAMERA, m.vertices, m.faces) for m in (left, right))
    difference = np.abs(parts - ray_lengths(CAMERA, whole.vertices, whole.faces))
    assert difference.max() < 0.2  # on the edge pixels of a glancing side
    assert np.quantile(difference, 0.99) < 0.02


@pytest.mark.parametrize("depth", [-100.0, 0.0, 80.0])
def test_perspective_scales_as_the_geometry_says(depth):
    mesh = box((-30, depth - 0.5, -20), (30, depth + 0.5, 20))
    seen = ray_lengths(CAMERA, mesh.vertices, mesh.faces) > 0.5
    wide = np.flatnonzero(seen.any(axis=0))
    assert len(wide) == pytest.approx(60 * CAMERA.magnification(depth), abs=1.5)
    assert CAMERA.magnification(depth) == pytest.approx(1150 / (1000 + depth))


def test_a_window_shows_the_same_rays():
    sphere = unit_sphere(30)
    full = ray_lengths(CAMERA, sphere.vertices * 30, sphere.faces)
    part = CAMERA.window(100, 90, 2.0, (30, 40))
    crop = ray_lengths(part, sphere.vertices * 30, sphere.faces)
    np.testing.assert_allclose(crop, full[100:160:2, 90:170:2], atol=0.05)


def test_the_boxed_form_is_the_same():
    sphere = unit_sphere(30)
    where, length = ray_lengths_boxed(CAMERA, sphere.vertices * 30 + 5, sphere.faces)
    full = np.zeros(CAMERA.shape)
    full[where] = length
    np.testing.assert_allclose(full, ray_lengths(CAMERA, sphere.vertices * 30 + 5, sphere.faces))


def test_off_screen_costs_nothing_and_adds_nothing():
    sphere = unit_sphere(10)
    assert not ray_lengths(CAMERA, sphere.vertices + [900, 0, 0], sphere.faces).any()
    _, length = ray_lengths_boxed(CAMERA, sphere.vertices + [900, 0, 0], sphere.faces)
    assert length.size == 0


def test_open_mesh_is_refused_by_name():
    with pytest.raises(SettingError, match=r"mesh ilium = '3 open edges'|mesh ilium.*open edges"):
        check_closed(BOX_FACES[1:], "ilium")
    check_closed(BOX_FACES, "box")


def test_behind_the_source_is_refused():
    sphere = unit_sphere(10)
    with pytest.raises(SettingError, match="beyond the source"):
        ray_lengths(CAMERA, sphere.vertices - [0, 1000, 0], sphere.faces)
