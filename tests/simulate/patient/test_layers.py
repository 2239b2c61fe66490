import numpy as np
import pytest

from hoseg.errors import InputError
from hoseg.radiograph import Structure
from hoseg.simulate.body.materials import Material
from hoseg.simulate.patient.layers import read_layers, write_layers
from simulate.simple_layers import layers


def test_a_crop_at_the_same_spacing_is_a_slice():
    whole = layers()
    part = whole.crop((99.5, 79.5), 1.0, (64, 64))
    np.testing.assert_allclose(
        part.lengths_mm, whole.lengths_mm[:, 48:112, 68:132].astype(np.float32), atol=1e-3
    )
    np.testing.assert_array_equal(part.masks, whole.masks[48:112, 68:132])
    assert part.frame.origin_px == pytest.approx((95.5 - 68, 95.5 - 48))


def test_zoom_keeps_lengths_and_scales_areas():
    whole = layers()
    fine = whole.crop((96, 96), 0.5, (384, 384))
    assert fine.frame.spacing_mm == 0.5
    pelvis = [((item.masks & Structure.PELVIS) > 0).sum() for item in (whole, fine)]
    assert pelvis[1] == pytest.approx(4 * pelvis[0], rel=0.02)
    assert fine.lengths_mm.max() == pytest.approx(whole.lengths_mm.max(), rel=1e-3)


def test_turning_keeps_body_places_on_the_same_tissue():
    whole = layers()
    turned = whole.crop((96, 96), 0.8, (256, 256), angle=0.5)
    place = np.array([[38.0, -9.0]])  # on the piece of ossification
    for item in (whole, turned):
        x, y = np.round(item.frame.to_px(place)[0]).astype(int)
        assert item.masks[y, x] & Structure.OSSIFICATION
    assert np.hypot(*turned.frame.left) == pytest.approx(1)
    assert np.dot(turned.frame.left, turned.frame.feet) == pytest.approx(0, abs=1e-9)


def test_outside_the_layers_is_empty():
    beyond = layers().crop((1000, 1000), 1.0, (32, 32))
    assert beyond.lengths_mm.max() == 0
    assert beyond.masks.max() == 0


def test_the_stack_holds_what_occurs_and_what_is_asked_for():
    materials, full = layers().stack((Material.STEEL,))
    assert materials == tuple(
        sorted((Material.CORTICAL, Material.TRABECULAR, Material.OSSIFICATION, Material.STEEL))
    )
    assert full.dtype == np.float32
    assert full[materials.index(Material.OSSIFICATION)].max() == 5
    assert full[materials.index(Material.STEEL)].max() == 0


def test_layers_come_back_as_they_were(tmp_path):
    stored = layers()
    write_layers(tmp_path, "one", stored)
    back = read_layers(tmp_path / "one.json")
    assert back.materials == stored.materials
    assert back.frame == stored.frame
    np.testing.assert_array_equal(back.lengths_mm, stored.lengths_mm)
    np.testing.assert_array_equal(back.masks, stored.masks)
    np.testing.assert_array_equal(back.sacrum, stored.sacrum)


def test_path_lengths_stay_on_disk_until_they_are_used(tmp_path):
    write_layers(tmp_path, "one", layers())
    assert isinstance(read_layers(tmp_path / "one.json").lengths_mm, np.memmap)


@pytest.mark.parametrize("text", ["{", "{}", '{"materials": ["gold"], "frame": {}}'])
def test_a_broken_header_names_its_file(tmp_path, text):
    write_layers(tmp_path, "one", layers())
    (tmp_path / "one.json").write_text(text)
    with pytest.raises(InputError, match=r"one\.json"):
        read_layers(tmp_path / "one.json")
