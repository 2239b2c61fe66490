"""Bone islands are compact bone inside bone: they show, and change no label."""

from dataclasses import replace

import numpy as np
import pytest

from hoseg.errors import SettingError
from hoseg.radiograph import Structure
from hoseg.simulate.body.materials import Material
from hoseg.simulate.body.projector import check_closed
from hoseg.simulate.patient.plan import plan_scene
from hoseg.simulate.patient.projection import project
from hoseg.simulate.patient.scene import build_scene
from hoseg.simulate.patient.settings import SceneSettings

QUIET = SceneSettings(
    brooker={"0": 1.0}, implants={"none": 1.0}, views={"ap_pelvis": 1.0}, osteophytes=0, nonunions=0
)


def scene(seed, *, islands):
    plan = plan_scene(QUIET, np.random.default_rng(seed))
    hips = tuple(replace(hip, bone_islands=islands) for hip in plan.hips)
    return build_scene(replace(plan, hips=hips), np.random.default_rng([seed, 1]))


def test_islands_turn_spongy_bone_into_compact_bone_and_change_no_label():
    with_islands = scene(3, islands=True)
    films = [project(s, 1.0) for s in (scene(3, islands=False), with_islands)]
    assert np.array_equal(films[0].masks, films[1].masks)
    assert not (films[1].masks & Structure.OSSIFICATION).any()
    assert all(hip.growth.brooker == 0 for hip in with_islands.hips)
    plain, dense = (film.lengths_mm[film.materials.index(Material.CORTICAL)] for film in films)
    more = dense - plain
    assert more.min() > -1e-3
    assert more.max() > 1.5
    bone = (films[0].masks & (Structure.PELVIS | Structure.FEMUR)) > 0
    assert not (more > 1e-3)[~bone].any()
    plain, dense = (film.lengths_mm[film.materials.index(Material.TRABECULAR)] for film in films)
    assert (dense < plain)[more > 0.5].all()


@pytest.mark.parametrize("seed", range(3))
def test_islands_are_closed_and_of_a_size_that_is_met(seed):
    for hip in scene(seed, islands=True).hips:
        assert 1 <= len(hip.bone_islands) <= 3
        for island in hip.bone_islands:
            check_closed(island.mesh.faces, "island")
            assert 1 < np.ptp(island.mesh.vertices, axis=0).max() < 22
            assert island.structure in (Structure.PELVIS, Structure.FEMUR)


def test_the_share_of_hips_is_the_setting():
    plans = [
        plan_scene(SceneSettings(bone_islands=0.3), np.random.default_rng(seed))
        for seed in range(600)
    ]
    share = np.mean([hip.bone_islands for plan in plans for hip in plan.hips])
    assert share == pytest.approx(0.3, abs=0.06)


def test_a_share_above_one_is_refused():
    with pytest.raises(SettingError, match=r"bone_islands = 1.5.*\[0, 1\]"):
        SceneSettings(bone_islands=1.5)
