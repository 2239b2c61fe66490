from collections import Counter

import numpy as np
import pytest

from hoseg.errors import SettingError
from hoseg.radiograph import Structure, View
from hoseg.simulate.body.materials import Material
from hoseg.simulate.body.projector import check_closed
from hoseg.simulate.patient.implants import ImplantPart
from hoseg.simulate.patient.plan import HipPlan, ScenePlan, plan_scene
from hoseg.simulate.patient.projection import film_camera, project
from hoseg.simulate.patient.scene import build_scene, sample_scene
from hoseg.simulate.patient.settings import (
    BALANCED,
    IMPLANTS,
    NATURAL,
    SITES_OF_CLASS,
    SceneSettings,
)

QUIET = {"brooker": {"0": 1.0}, "osteophytes": 0.0, "views": {"ap_pelvis": 1.0}}


def only(implant, seed=0, **more):
    settings = SceneSettings(implants={implant: 1.0}, clips=0, balls=0, **{**QUIET, **more})
    return sample_scene(settings, np.random.default_rng(seed))


@pytest.mark.parametrize("brooker", [NATURAL, BALANCED])
def test_frequencies_over_2000_scenes_are_the_settings(brooker):
    settings = SceneSettings(brooker=brooker, osteophytes=0.3, nonunions=0.1, clips=0.2, balls=0.1)
    rng = np.random.default_rng(0)
    plans = [plan_scene(settings, rng) for _ in range(2000)]
    hips = [hip for plan in plans for hip in plan.hips]

    def close(counted, shares, total):
        for key, share in shares.items():
            spread = 4 * np.sqrt(share * (1 - share) / total)
            assert counted[key] / total == pytest.approx(share, abs=spread), key

    close(Counter(str(hip.brooker) for hip in hips), brooker, len(hips))
    close(Counter(hip.implant for hip in hips), settings.implants, len(hips))
    close(Counter(plan.view.value for plan in plans), settings.views, len(plans))
    islands = [hip for hip in hips if hip.brooker == 1]
    close(Counter(hip.site for hip in islands), settings.sites, len(islands))
    bridging = [hip for hip in hips if hip.brooker >= 3]
    share = {s: settings.sites[s] for s in SITES_OF_CLASS[3]}
    share = {s: v / sum(share.values()) for s, v in share.items()}
    close(Counter(hip.site for hip in bridging), share, len(bridging))
    assert np.mean([hip.osteophytes for hip in hips]) == pytest.approx(0.3, abs=0.03)
    assert np.mean([hip.nonunion for hip in hips]) == pytest.approx(0.1, abs=0.02)
    filling = np.log([plan.bladder_ml for plan in plans])
    low, high = np.log(settings.bladder_ml)
    assert filling.min() >= low
    assert filling.max() <= high
    assert filling.mean() == pytest.approx((low + high) / 2, abs=0.1)
    assert np.mean([plan.clips > 0 for plan in plans]) == pytest.approx(0.2, abs=0.04)
    assert np.mean([plan.ball for plan in plans]) == pytest.approx(0.1, abs=0.03)
    for hip in hips:
        if hip.brooker in (2, 3):
            low, high = settings.gap_iii_mm if hip.brooker == 3 else settings.gap_ii_mm
            assert low <= hip.gap_mm <= high


@pytest.mark.slow
def test_built_scenes_keep_the_planned_classes():
    settings = SceneSettings(brooker=BALANCED)
    kept = []
    for seed in range(24):
        scene = sample_scene(settings, np.random.default_rng([5, seed]))
        kept += [hip.growth.brooker == hip.plan.brooker for hip in scene.hips]
    assert np.mean(kept) >= 0.95


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"brooker": {"0": 0.5, "5": 0.5}}, r"brooker\.5"),
        ({"brooker": {"0": 0.5}}, "sum to 1"),
        ({"sites": {"trochanteric": 1.0}}, "where class 3 can grow"),
        ({"gap_iii_mm": (-1.0, 5.0)}, "gap_iii_mm"),
        ({"gap_ii_mm": (9.0, 12.0)}, "gap_ii_mm.*10 to 60"),
        ({"clips": 1.5}, "clips = 1.5"),
        ({"nonunions": -0.1}, r"nonunions = -0.1.*\[0, 1\]"),
        ({"bladder_ml": (0, 100)}, "bladder_ml.*5 to 1000"),
        ({"views": {"chest": 1.0}}, "views.chest.*ap_pelvis"),
    ],
)
def test_bad_settings_name_themselves(bad, said):
    with pytest.raises(SettingError, match=said):
        SceneSettings(**bad)


def test_same_seed_same_bytes():
    films = [project(only("total", 4, views={"ap_hip": 1.0}), 1.2) for _ in range(2)]
    assert films[0].lengths_mm.tobytes() == films[1].lengths_mm.tobytes()
    assert films[0].masks.tobytes() == films[1].masks.tobytes()


@pytest.mark.parametrize("kind", IMPLANTS)
def test_every_part_is_closed_and_on_the_film(kind):
    scene = only(kind, seed=2)
    for hip in scene.hips:
        assert bool(hip.parts) == (kind != "none")
        for part in hip.parts:
            check_closed(part.mesh.faces, part.name)
            assert part.mesh.volume_mm3 > 0, part.name
    layers = project(scene, 1.2)
    assert bool((layers.masks & Structure.IMPLANT).any()) == (kind != "none")


def test_a_total_hip_replaces_head_and_neck():
    scene = only("total", seed=1)
    native = only("none", seed=1)
    camera = film_camera(scene, 1.0)
    layers = project(scene, 1.0)
    assert (project(native, 1.0).masks & Structure.FEMUR).any()
    for hip in scene.hips:
        row, column = np.round(camera.to_pixels(hip.hip.head[None])[0]).astype(int)
        assert not layers.masks[row, column] & Structure.FEMUR, "the head is gone"
        assert layers.masks[row, column] & Structure.IMPLANT, "a ball is in its place"
        row, column = np.round(camera.to_pixels(hip.hip.canal[None])[0]).astype(int)
        assert layers.masks[row, column] & Structure.FEMUR, "the shaft stays"


def test_masks_match_lengths_and_leave_the_sacrum_out():
    layers = project(only("none", seed=3), 1.0)
    rows = [layers.materials.index(m) for m in (Material.CORTICAL, Material.TRABECULAR)]
    bone = layers.lengths_mm[rows].sum(axis=0)
    marked = (layers.masks & (Structure.PELVIS | Structure.FEMUR)) > 0
    assert np.all(bone[marked] > 0)
    assert layers.sacrum.any()
    assert (layers.sacrum & ~marked).any()
    assert np.all((bone > 1.0) <= (marked | layers.sacrum))


def test_fields_follow_the_view():
    for view in ("ap_pelvis", "ap_hip", "frog_leg", "judet"):
        scene = only("none", seed=5, views={view: 1.0})
        camera = film_camera(scene, 1.0)
        assert scene.view is View(view)
        rows = camera.to_pixels(np.array([hip.hip.head for hip in scene.hips]))
        inside = (rows > 0).all(axis=1) & (rows < camera.shape).all(axis=1)
        assert inside.sum() >= (2 if view == "ap_pelvis" else 0)
        spacing = camera.pixel_mm / camera.magnification(
            float(np.mean([hip.hip.head[1] for hip in scene.hips]))
        )
        assert spacing == pytest.approx(1.0)


def test_a_plan_is_built_as_it_says():
    rng = np.random.default_rng(8)
    plan = plan_scene(SceneSettings(**QUIET), rng)
    hips = (HipPlan(0, "", None, "nail", False), HipPlan(0, "", None, "none", False))
    scene = build_scene(
        ScenePlan(plan.view, plan.centred, plan.pose, plan.field, hips, 3, True), rng
    )
    assert [hip.implant for hip in scene.hips] == ["nail", "none"]
    assert sorted(part.name for part in scene.extras) == ["ball", "clip", "clip", "clip"]
    assert isinstance(scene.extras[0], ImplantPart)
