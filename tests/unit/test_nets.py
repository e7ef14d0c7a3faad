"""The networks of the method: parameters, multiplications, shapes and the order of layers."""

from __future__ import annotations

import pytest
import torch
from tests.networks import random_network
from torch import nn

from cardioseg.nets.blocks import convolution_3x3
from cardioseg.nets.export import fold_batch_norm
from cardioseg.nets.unet import UNet, count_multiplications, count_parameters, unet_1, unet_2
from cardioseg.prepare.plan import NetworkPlan


@pytest.mark.parametrize(
    ("build", "parameters", "gmac"), [(unet_1, 31_125_987, 14.89), (unet_2, 6_030_156, 2.41)]
)
def test_parameters_and_multiplications_are_the_methods(build, parameters, gmac):
    network = build()
    assert count_parameters(network) == parameters
    assert round(count_multiplications(network, 256, 256) / 1e9, 2) == gmac


@pytest.mark.parametrize("kind", ["conventional", "separable"])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 32), (32, 96)])
def test_any_multiples_of_32_keep_their_shape(kind, height, width):
    plan = NetworkPlan(convolution=kind, widths=(2, 2, 2, 3, 3, 3), classes=5, input_channels=2)
    network = UNet(plan).eval()
    assert network(torch.zeros(3, 2, height, width)).shape == (3, 5, height, width)


@pytest.mark.parametrize(("height", "width"), [(32, 31), (16, 32), (48, 64)])
def test_other_sides_are_refused(height, width):
    network = UNet(NetworkPlan(widths=(1, 1, 1, 1, 1, 1)))
    with pytest.raises(ValueError, match="need multiples of 32"):
        network(torch.zeros(1, 1, height, width))


@pytest.mark.parametrize(("inputs", "outputs"), [(32, 64), (64, 64), (1, 32)])
def test_separable_over_conventional_multiplications_follow_the_formula(inputs, outputs):
    kernel = 3
    separable, conventional = (
        count_multiplications(nn.Sequential(convolution_3x3(kind, inputs, outputs)), 16, 24)
        for kind in ("separable", "conventional")
    )
    assert conventional == 16 * 24 * kernel**2 * inputs * outputs
    assert separable / conventional == pytest.approx(1 / kernel**2 + 1 / outputs)


def test_counting_leaves_the_network_in_its_mode():
    network = unet_2()
    for training in (True, False):
        network.train(training)
        count_multiplications(network, 32, 32)
        assert network.training is training


def layers(network):
    """Kind, channels and bias of the leaves in order."""
    found = []
    for module in network.modules():
        match module:
            case nn.ConvTranspose2d():
                found.append(
                    ("up", module.in_channels, module.out_channels, module.bias is not None)
                )
            case nn.Conv2d(groups=1, kernel_size=(1, 1)):
                found.append(
                    ("1x1", module.in_channels, module.out_channels, module.bias is not None)
                )
            case nn.Conv2d():
                kind = "3x3" if module.groups == 1 else "depthwise"
                found.append(
                    (kind, module.in_channels, module.out_channels, module.bias is not None)
                )
            case nn.BatchNorm2d():
                found.append(("norm", module.num_features))
            case nn.ReLU():
                found.append(("relu",))
    return found


def test_the_conventional_network_has_the_methods_layers():
    plan = NetworkPlan(convolution="conventional", widths=(4, 8), classes=3)

    def pair(inputs, outputs):
        tail = [("norm", outputs), ("relu",)]
        return [("3x3", inputs, outputs, True), *tail, ("3x3", outputs, outputs, True), *tail]

    assert layers(UNet(plan)) == [
        *pair(1, 4),
        *pair(4, 8),
        ("up", 8, 4, True),
        ("norm", 8),
        *pair(8, 4),
        ("1x1", 4, 3, True),
    ]


def test_the_separable_network_is_separable_from_its_first_layer_but_not_in_steps_up():
    plan = NetworkPlan(convolution="separable", widths=(4, 8), classes=3, input_channels=2)

    def pair(inputs, outputs):
        found = []
        for before in (inputs, outputs):
            found += [("depthwise", before, before, False), ("1x1", before, outputs, True)]
            found += [("norm", outputs), ("relu",)]
        return found

    assert layers(UNet(plan)) == [
        *pair(2, 4),
        *pair(4, 8),
        ("up", 8, 4, True),
        ("norm", 8),
        *pair(8, 4),
        ("1x1", 4, 3, True),
    ]


def test_the_skip_carries_the_image_where_the_way_up_is_cut():
    network = random_network()
    network.up[0].expand.weight.data.zero_()
    with torch.no_grad():
        assert network(torch.rand(1, 1, 16, 16)).std(dim=(2, 3)).min() > 0.01


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_dropout_drops_whole_channels_while_training_only(rate):
    network = UNet(NetworkPlan(widths=(4, 8), dropout=rate))
    dropouts = [m for m in network.modules() if isinstance(m, nn.Dropout2d)]
    assert len(dropouts) == (3 if rate else 0), "one in each level"
    assert count_parameters(network) == count_parameters(UNet(NetworkPlan(widths=(4, 8))))
    images = torch.rand(2, 1, 8, 8)
    network.eval()
    assert torch.equal(network(images), network(images))


@pytest.mark.parametrize("kind", ["conventional", "separable"])
def test_folding_batch_norm_changes_no_answer_and_not_the_network(kind):
    plan = NetworkPlan(convolution=kind, widths=(4, 8, 8), classes=3)
    network = random_network(plan)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = torch.rand(2, 1, 16, 24)
    folded = fold_batch_norm(network)
    with torch.no_grad():
        torch.testing.assert_close(folded(images), network(images), atol=1e-4, rtol=1e-4)
    norms = [m for m in folded.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 2, "those on concatenations stay"
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
