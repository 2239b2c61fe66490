import pytest
import torch

from hoseg.errors import SettingError
from hoseg.segment.network import (
    HipUNet,
    build_network,
    fold_batch_norm,
    keep_structures,
    required_multiple,
    round_to_bfloat16,
)

SMALL = {"widths": (8, 8, 16, 16), "deep_levels": (1,)}


def trained_like(**options: object) -> HipUNet:
    """A network whose batch statistics are not the initial ones."""
    torch.manual_seed(0)
    network = HipUNet(**{**SMALL, **options})
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(2, 1, 64, 64) * 2 + 1)
    return network.eval()


def test_logits_have_the_size_of_the_input() -> None:
    network = trained_like()
    assert network(torch.zeros(2, 1, 64, 96)).shape == (2, 4, 64, 96)
    assert required_multiple(network) == 16


def test_default_network_is_compact() -> None:
    network = build_network("hip_unet", {})
    assert sum(weights.numel() for weights in network.parameters()) < 4e6


def test_deep_heads_answer_at_their_stride() -> None:
    logits, deep = trained_like().forward_deep(torch.zeros(1, 1, 64, 64))
    assert logits.shape == (1, 4, 64, 64)
    assert [(stride, tuple(x.shape)) for stride, x in deep] == [(4, (1, 4, 16, 16))]


def test_folding_the_norm_changes_nothing() -> None:
    network = trained_like()
    x = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        before = network(x)
        after = fold_batch_norm(network)(x)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)


def test_dropping_the_auxiliary_output_keeps_the_structures() -> None:
    network = trained_like(outputs=5)
    x = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        before = network(x)
        after = keep_structures(network)(x)
    assert after.shape[1] == 4
    torch.testing.assert_close(after, before[:, :4])
    assert not network.deep_heads


def test_a_shift_by_the_stride_shifts_the_answer() -> None:
    network = trained_like()
    x = torch.randn(1, 1, 256, 256)
    with torch.no_grad():
        here = network(x)
        there = network(torch.roll(x, (16, 16), (2, 3)))
    rolled = torch.roll(here, (16, 16), (2, 3))
    torch.testing.assert_close(
        there[..., 112:144, 112:144], rolled[..., 112:144, 112:144], atol=1e-4, rtol=1e-3
    )


def test_smp_architecture_by_name() -> None:
    pytest.importorskip("segmentation_models_pytorch")
    network = build_network("smp:Unet", {"encoder_name": "resnet18"}).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 1, 64, 64)).shape == (1, 4, 64, 64)


@pytest.mark.parametrize(
    ("architecture", "options", "key"),
    [
        ("unet", {}, "architecture"),
        ("hip_unet", {"width": (8, 8)}, "options.width"),
        ("hip_unet", {"widths": (8,)}, "widths"),
        ("hip_unet", {"widths": (8, 8, 8), "deep_levels": (2,)}, "deep_levels"),
        ("smp:Nothing", {}, "architecture"),
        ("smp:Unet", {"encoder_weights": "imagenet"}, "options.encoder_weights"),
    ],
)
def test_unknown_settings_are_named(architecture: str, options: dict, key: str) -> None:
    with pytest.raises(SettingError) as caught:
        build_network(architecture, options)
    assert caught.value.key == key


def is_bfloat16(values: torch.Tensor) -> bool:
    """Whether values are bfloat16 numbers, but for the last bits of a float32 product."""
    return bool(torch.all((values - values.bfloat16()).abs() <= 2e-6 * values.abs() + 1e-9))


def test_rounded_weights_are_bfloat16_once_the_norms_are_folded() -> None:
    network = trained_like()
    assert not is_bfloat16(fold_batch_norm(trained_like()).stem[1].conv.weight)
    folded = fold_batch_norm(round_to_bfloat16(network))
    for name, value in folded.named_parameters():
        assert is_bfloat16(value), name


def test_rounding_weights_twice_is_rounding_them_once() -> None:
    once = round_to_bfloat16(trained_like())
    state = {name: value.clone() for name, value in once.state_dict().items()}
    for name, value in round_to_bfloat16(once).state_dict().items():
        torch.testing.assert_close(value, state[name], atol=1e-6, rtol=1e-5)


def test_rounding_weights_hardly_changes_answers_and_leaves_the_norms_in_place() -> None:
    network = trained_like()
    x = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        before = network(x)
        after = round_to_bfloat16(network)(x)
    assert 0 < (after - before).abs().max() < 0.03 * before.abs().max()
    assert isinstance(network.stem[1].norm, torch.nn.BatchNorm2d)


def test_a_dead_channel_survives_rounding() -> None:
    network = trained_like()
    with torch.no_grad():
        network.stem[1].norm.weight[0] = 0
    assert all(torch.isfinite(v).all() for v in round_to_bfloat16(network).state_dict().values())
