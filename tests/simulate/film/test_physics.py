import numpy as np
import pytest

from hoseg.errors import SettingError
from hoseg.simulate.body.materials import Material, linear_attenuation_per_mm
from hoseg.simulate.film.physics import Exposure, expose, gaussian, spectrum, transmit


def _lengths(shape=(8, 8)):
    return np.zeros((len(Material), *shape), np.float32)


def test_soft_tissue_alone_follows_the_weighted_exponentials():
    body = np.full((8, 8), 200, np.float32)
    energies, weights = spectrum(80, 3.0)
    primary, without = transmit(body, tuple(Material), _lengths(), 80, 3.0)
    mu = np.array([linear_attenuation_per_mm(e)[Material.SOFT] for e in energies])
    np.testing.assert_allclose(primary, np.sum(weights * np.exp(-mu * 200)), rtol=1e-4)
    np.testing.assert_array_equal(primary, without)


def test_thin_bone_is_the_monochromatic_limit():
    body = np.full((4, 4), 100, np.float32)
    lengths = _lengths((4, 4))
    lengths[Material.CORTICAL] = 0.01
    plain, _ = transmit(body, tuple(Material), _lengths((4, 4)), 80, 3.0)
    bony, _ = transmit(body, tuple(Material), lengths, 80, 3.0)
    energies, weights = spectrum(80, 3.0)
    mu = np.stack([linear_attenuation_per_mm(e) for e in energies])
    behind = weights * np.exp(-mu[:, Material.SOFT] * 100)
    excess = mu[:, Material.CORTICAL] - mu[:, Material.SOFT]
    expected = 0.01 * np.sum(behind * excess) / behind.sum()
    assert np.log(plain / bony).mean() == pytest.approx(expected, rel=0.02)


def test_a_thick_body_hardens_the_beam():
    def effective(depth):
        body = np.full((2, 2), depth, np.float32)
        primary, _ = transmit(body, tuple(Material), _lengths((2, 2)), 80, 3.0)
        return -np.log(primary[0, 0]) / depth

    assert effective(300) < effective(150) < effective(20)


def test_gas_lets_more_through_and_metal_nearly_nothing():
    body = np.full((3, 1), 200, np.float32)
    lengths = _lengths((3, 1))
    lengths[Material.AIR, 0] = 30
    lengths[Material.STEEL, 2] = 15
    primary, _ = transmit(body, tuple(Material), lengths)
    assert primary[0, 0] > 1.5 * primary[1, 0]
    assert primary[2, 0] < 0.01 * primary[1, 0]


def test_without_ossification_equals_the_same_film_before_it_grew():
    rng = np.random.default_rng(0)
    body = np.full((16, 16), 180, np.float32)
    lengths = rng.uniform(0, 4, (len(Material), 16, 16)).astype(np.float32)
    before = lengths.copy()
    before[Material.OSSIFICATION] = 0
    _, without = transmit(body, tuple(Material), lengths)
    primary, _ = transmit(body, tuple(Material), before)
    np.testing.assert_allclose(without, primary, rtol=2e-5)


@pytest.mark.parametrize("photons", [1e3, 1e4, 1e5])
def test_noise_variance_is_signal_over_quanta(photons):
    primary = np.full((300, 300), 0.02, np.float32)
    exposure = Exposure(photons=photons, scatter_ratio=0, heel=0, blur_mm=0, electronic=0)
    signal = expose(primary, primary, exposure, 0.5, np.random.default_rng(1))
    variance = 0.02**2 / (photons * 0.25)
    assert np.var(signal.total) == pytest.approx(variance, rel=0.03)
    np.testing.assert_allclose(signal.noise_sd, np.sqrt(variance), rtol=1e-4)


def test_blur_correlates_the_noise_and_reports_its_reduced_spread():
    primary = np.full((300, 300), 0.1, np.float32)
    exposure = Exposure(photons=1e5, scatter_ratio=0, heel=0, blur_mm=0.8, electronic=0)
    signal = expose(primary, primary, exposure, 0.4, np.random.default_rng(1))
    noise = signal.total - signal.noiseless
    assert np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1] > 0.5
    assert noise.std() == pytest.approx(float(signal.noise_sd.mean()), rel=0.1)


def test_scatter_adds_signal_behind_the_body():
    primary = np.full((200, 200), 0.01, np.float32)
    plain = expose(
        primary, primary, Exposure(scatter_ratio=0, heel=0), 1.0, np.random.default_rng(0)
    )
    foggy = expose(
        primary, primary, Exposure(scatter_ratio=1, heel=0), 1.0, np.random.default_rng(0)
    )
    ratio = foggy.noiseless[100, 100] / plain.noiseless[100, 100]
    assert ratio == pytest.approx(2.0, rel=0.05)


def test_spectrum_hardens_with_voltage_and_filtration():
    def mean(kvp, filtration):
        energies, weights = spectrum(kvp, filtration)
        assert weights.sum() == pytest.approx(1)
        return np.sum(energies * weights)

    assert mean(60, 3) < mean(80, 3) < mean(110, 3)
    assert mean(80, 2) < mean(80, 6)
    assert 40 < mean(80, 3) < 60


def test_wide_gaussian_agrees_with_the_exact_one():
    image = np.zeros((128, 128), np.float32)
    image[40:90, 50:100] = 1
    exact = gaussian(gaussian(image, 4.0), np.sqrt(20**2 - 4**2))
    assert np.abs(exact - gaussian(image, 20.0)).max() < 0.03


@pytest.mark.parametrize("bad", [{"kvp": 5}, {"photons": 0}, {"scatter_ratio": float("nan")}])
def test_bad_exposures_name_the_setting(bad):
    with pytest.raises(SettingError, match=next(iter(bad))):
        Exposure(**bad)
