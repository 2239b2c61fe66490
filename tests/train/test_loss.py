import torch
from torch.nn import functional as F

from hoseg.train.config import Loss
from hoseg.train.loss import bits_to_channels, segmentation_loss

EVEN = Loss(weights=(1.0, 1.0, 1.0, 1.0), dice=0.0, deep=0.0)


def test_bits_become_channels() -> None:
    bits = torch.tensor([[[0, 1, 10, 31]]], dtype=torch.uint8)
    channels = bits_to_channels(bits, 5)
    assert channels.shape == (1, 5, 1, 4)
    assert channels[0, :, 0, 2].tolist() == [0, 1, 0, 1, 0]
    assert channels[0, :, 0, 3].tolist() == [1] * 5


def test_cross_entropy_is_that_of_torch() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 4, 8, 8)
    targets = torch.randint(0, 16, (2, 8, 8), dtype=torch.uint8)
    ours = segmentation_loss(logits, [], targets, torch.zeros_like(targets), EVEN)
    theirs = F.binary_cross_entropy_with_logits(logits, bits_to_channels(targets, 4))
    torch.testing.assert_close(ours, theirs)


def test_ignored_pixels_have_no_gradient() -> None:
    logits = torch.randn(1, 4, 8, 8, requires_grad=True)
    deep = torch.randn(1, 4, 4, 4, requires_grad=True)
    targets = torch.randint(0, 16, (1, 8, 8), dtype=torch.uint8)
    ignore = torch.zeros_like(targets)
    ignore[:, :4] = 15  # all structures
    ignore[:, 4:, :4] = 8  # ossification alone
    segmentation_loss(logits, [(2, deep)], targets, ignore, Loss()).backward()
    assert logits.grad[:, :, :4].abs().max() == 0
    assert logits.grad[:, 3, 4:, :4].abs().max() == 0
    assert logits.grad[:, 0, 4:, :4].abs().min() > 0
    assert deep.grad[:, :, :2].abs().max() == 0


def test_ossification_weighs_more() -> None:
    targets = torch.zeros(1, 16, 16, dtype=torch.uint8)
    none = torch.zeros_like(targets)
    losses = []
    for channel in (0, 3):
        logits = torch.full((1, 4, 16, 16), -8.0)
        logits[0, channel, :4] = 8.0  # a false structure
        losses.append(float(segmentation_loss(logits, [], targets, none, Loss())))
    assert losses[1] > 2 * losses[0]


def test_perfect_answers_cost_almost_nothing() -> None:
    targets = torch.zeros(2, 32, 32, dtype=torch.uint8)
    targets[:, 4:20, 4:20] = 9
    logits = (bits_to_channels(targets, 4) * 2 - 1) * 20
    loss = segmentation_loss(logits, [], targets, torch.zeros_like(targets), Loss())
    assert float(loss) < 1e-3
