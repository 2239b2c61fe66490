import numpy as np
import pytest

from hoseg.simulate.body.anatomy import sample_skeleton
from hoseg.simulate.body.bladder import bladder
from hoseg.simulate.body.materials import Material
from hoseg.simulate.body.projector import check_closed
from hoseg.simulate.body.skeleton import Pose
from hoseg.simulate.film.film import RenderSettings, render
from hoseg.simulate.patient.projection import film_camera, project
from hoseg.simulate.patient.scene import sample_scene
from hoseg.simulate.patient.settings import SceneSettings


@pytest.fixture(scope="module", params=[Pose(), Pose(tilt=9, turn=30, lean=3)])
def skeleton(request):
    return sample_skeleton(request.param, np.random.default_rng(3))


@pytest.mark.parametrize("filling_ml", [20, 150, 600])
def test_it_holds_what_was_asked_in_closed_surfaces(skeleton, filling_ml):
    organ = bladder(skeleton, filling_ml, np.random.default_rng(1))
    for mesh in (organ.urine, organ.coat):
        check_closed(mesh.faces, "bladder")
    assert organ.volume_ml == pytest.approx(filling_ml, rel=0.15)
    assert organ.coat.volume_mm3 > organ.urine.volume_mm3


def test_it_lies_behind_the_symphysis_and_rises_as_it_fills(skeleton):
    heads = np.array([hip.head for hip in skeleton.hips])
    middle, distance = heads.mean(axis=0), np.linalg.norm(heads[1] - heads[0])
    empty, full = (bladder(skeleton, ml, np.random.default_rng(2)) for ml in (30, 500))
    tops = [organ.urine.vertices[:, 2].max() for organ in (empty, full)]
    assert tops[1] > tops[0] + 20
    for organ in (empty, full):
        away = np.linalg.norm(organ.urine.vertices - heads[:, None], axis=2).min()
        assert away > 25, "clear of the femoral heads, inside the true pelvis"
        assert np.linalg.norm(organ.urine.vertices.mean(axis=0) - middle) < 0.5 * distance


def test_it_is_seen_on_the_film_as_water_and_not_labelled():
    settings = SceneSettings(
        brooker={"0": 1.0}, views={"ap_pelvis": 1.0}, bladder_ml=(300, 300), implants={"none": 1}
    )
    scene = sample_scene(settings, np.random.default_rng(4))
    layers = project(scene, 1.0)
    urine = layers.lengths_mm[layers.materials.index(Material.URINE)]
    camera = film_camera(scene, 1.0)
    row, column = np.round(camera.to_pixels(scene.bladder.urine.vertices.mean(axis=0)[None])[0])
    assert urine[int(row), int(column)] > 50
    depth = float(scene.bladder.urine.vertices[:, 1].mean())
    pixel_mm = camera.pixel_mm / camera.magnification(depth)
    assert urine.sum() * pixel_mm**2 / 1000 == pytest.approx(scene.bladder.volume_ml, rel=0.05)
    assert (layers.masks[urine > 5] == 0).any(), "urine carries no label"
    film = render(layers, np.random.default_rng(0), RenderSettings(randomise=False, text=0))
    assert film.masks.any()
