from dataclasses import replace

import numpy as np
import pytest

from hoseg.radiograph import Structure
from hoseg.simulate.body.materials import Material
from hoseg.simulate.film.confounders import ConfounderRates
from hoseg.simulate.film.film import RenderSettings, render
from simulate.simple_layers import layers

PLAIN = RenderSettings(
    confounders=ConfounderRates(**dict.fromkeys(ConfounderRates.__dataclass_fields__, 0.0)),
    fluoroscopy=0,
    text=0,
    soft_tissue=False,
    randomise=False,
)


def _ho(masks):
    return (masks & Structure.OSSIFICATION) > 0


@pytest.mark.parametrize("seed", range(8))
def test_labels_stay_inside_the_field(seed):
    film = render(layers(), np.random.default_rng(seed))
    assert film.pixels.dtype == np.uint16
    assert film.pixels.max() < 2**film.recipe.processing.bits
    assert (film.masks[~film.field] == 0).all()
    assert (film.ignore[~film.field] == 255).all()
    assert not (_ho(film.masks) & ~film.ossification).any()
    np.testing.assert_array_equal(
        _ho(film.masks) | (_ho(film.ignore) & film.field), film.ossification
    )


def test_the_same_seed_gives_the_same_film():
    first, second = (render(layers(), np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.pixels, second.pixels)
    np.testing.assert_array_equal(first.masks, second.masks)
    assert first.recipe.exposure == second.recipe.exposure


def test_other_seeds_give_other_films_of_the_same_bones():
    first, second = (render(layers(), np.random.default_rng(s), PLAIN) for s in (1, 2))
    assert (first.pixels != second.pixels).mean() > 0.5
    pelvis = [film.masks & Structure.PELVIS for film in (first, second)]
    np.testing.assert_array_equal(*pelvis)


def test_dense_ossification_is_labelled_and_a_trace_is_not():
    rng = np.random.default_rng(0)
    dense = render(layers(ho_mm=6.0), rng, PLAIN)
    assert _ho(dense.masks).sum() > 0.95 * dense.ossification.sum()
    trace = render(layers(ho_mm=0.05), rng, PLAIN)
    assert not _ho(trace.masks).any()
    assert trace.ossification.sum() == dense.ossification.sum()
    np.testing.assert_array_equal(_ho(trace.ignore), trace.ossification)


def test_bone_is_brighter_than_its_surroundings_unless_inverted():
    film = render(layers(), np.random.default_rng(0), PLAIN)
    bone = (film.masks & Structure.PELVIS) > 0
    assert film.pixels[bone].mean() > film.pixels[~bone].mean()


def test_bone_in_what_is_burnt_out_has_no_label(monkeypatch):
    def right_half(pixels, exposed, bits, spacing_mm, *, dark_bone):
        return exposed & (np.arange(pixels.shape[1]) >= 96)

    whole = render(layers(), np.random.default_rng(0), PLAIN)
    monkeypatch.setattr("hoseg.simulate.film.film.burnt_out", right_half)
    half = render(layers(), np.random.default_rng(0), PLAIN)
    np.testing.assert_array_equal(half.pixels, whole.pixels)
    np.testing.assert_array_equal(half.masks[:, :96], whole.masks[:, :96])
    assert whole.masks[:, 96:].any()
    assert not half.masks[:, 96:].any()
    assert _ho(half.ignore)[whole.ossification].all()


def test_confounders_carry_no_label():
    every = ConfounderRates(**dict.fromkeys(ConfounderRates.__dataclass_fields__, 1.0))
    bare = layers(ho_mm=0.0)
    bare = replace(bare, masks=bare.masks & np.uint8(Structure.PELVIS))
    film = render(bare, np.random.default_rng(0), replace(PLAIN, confounders=every))
    assert len(film.recipe.confounders) == len(ConfounderRates.__dataclass_fields__)
    assert (film.masks == bare.masks).all()


def test_small_metal_is_left_open_and_an_implant_is_labelled():
    bones = layers()
    masks = bones.masks.copy()
    masks[10:12, 10:13] |= np.uint8(Structure.IMPLANT)
    masks[100:140, 100:140] |= np.uint8(Structure.IMPLANT)
    metal = 10.0 * ((masks & Structure.IMPLANT) > 0)
    bones = replace(
        bones,
        masks=masks,
        materials=(*bones.materials, Material.STEEL),
        lengths_mm=np.concatenate([bones.lengths_mm, metal[None].astype(np.float16)]),
    )
    film = render(bones, np.random.default_rng(0), PLAIN)
    for part, name in ((film.masks, slice(100, 140)), (film.ignore, slice(10, 12))):
        assert (part[name, name.start + 1] & Structure.IMPLANT).all()
    assert not (film.masks[10:12, 10:13] & Structure.IMPLANT).any()
    assert not (film.ignore[100:140, 100:140] & Structure.IMPLANT).any()
