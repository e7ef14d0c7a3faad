"""The compiled kernels give what PyTorch gives, whatever the shape, or say why they cannot."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from cardioseg.errors import ConfigError
from cardioseg.nets.loss import Loss, total_loss
from cardioseg.nets.unet import UNet
from cardioseg.prepare.plan import NetworkPlan
from cardioseg.training.native import NativeUNet, build, kernels_problem
from cardioseg.training.native.functions import (
    depthwise,
    expanded,
    norm_joined,
    norm_relu,
    pool,
)

needs_kernels = pytest.mark.skipif(bool(kernels_problem()), reason=kernels_problem())

shapes = st.tuples(
    st.integers(1, 3),
    st.integers(1, 7).map(lambda c: 8 * c),
    st.integers(1, 21),
    st.integers(1, 21),
)
halves = st.booleans()


def drawn(shape, seed, half, scale=1.0, shift=0.0):
    """Numbers that bfloat16 holds exactly if `half`, so that only arithmetic differs."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=generator) * scale + shift
    values = values.to(torch.bfloat16 if half else torch.float32)
    return values.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else values


def leaves(*tensors, wide=False):
    return [(t.double() if wide else t.clone()).requires_grad_() for t in tensors]


def near(found, wanted, half, terms=1, amplified=1.0, own=None):
    """Within rounding of a sum of so many terms, of the tensor's own size.

    Or, where PyTorch's own answer in the same precision is farther off, a little more than that:
    sums that nearly cancel lose as much in bfloat16 whoever adds them up.
    """
    size = amplified * (wanted.abs().max().item() + 1e-6)
    step = 2**-8 if half else 2**-23 * max(terms, 16) ** 0.5 * 4
    allowed = 0.0 if own is None else 1.5 * (own.double() - wanted).abs().max().item()
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=max(step * size, allowed))


@needs_kernels
@settings(deadline=None, max_examples=40)
@given(shapes, halves, st.integers(0, 99))
def test_depthwise_convolution_is_pytorchs(shape, half, seed):
    images, weight = drawn(shape, seed, half), drawn((shape[1], 1, 3, 3), seed + 1, half).float()
    slope = drawn(shape, seed + 2, half)
    x, w = leaves(images, weight)
    depthwise(x, w).backward(slope)
    p, q = leaves(images, weight, wide=True)
    wanted = functional.conv2d(p, q, padding=1, groups=shape[1])
    wanted.backward(slope.double())
    near(depthwise(images, weight), wanted.detach(), half)
    near(x.grad, p.grad, half)
    near(w.grad, q.grad, False, slope[:, 0].numel())


def norms(channels, seed):
    """A batch norm that scales and shifts, and its twin in float64."""
    norm = torch.nn.BatchNorm2d(channels)
    norm.weight.data = drawn((channels,), seed, False, 0.3, 1.0)
    norm.bias.data = drawn((channels,), seed + 1, False)
    return norm, copy.deepcopy(norm).double()


def smoothed(images, weight):
    return functional.conv2d(images, weight, padding=1, groups=len(weight))


def pytorchs_own(images, norm, keep, weight, slope):
    """The norm and the taps after PyTorch's backward in the images' precision."""
    norm, (x, w) = copy.deepcopy(norm), leaves(images, weight)
    norm.zero_grad()
    answer = functional.relu(norm(x))
    answer = answer if keep is None else answer * keep.to(answer.dtype)[:, :, None, None]
    smoothed(answer, w.to(answer.dtype)).backward(slope)
    return norm, w


@needs_kernels
@settings(deadline=None, max_examples=60)
@given(shapes, halves, st.booleans(), st.booleans(), st.integers(0, 99))
def test_norm_relu_dropout_and_depthwise_are_pytorchs(shape, half, drops, smooths, seed):
    count, channels = shape[:2]
    images = drawn((count, channels, shape[2] + 3, shape[3] + 1), seed, half, 2.0, 0.5)
    slope = drawn(images.shape, seed + 1, half)
    keep = (torch.arange(count * channels) % 3 / 2.0).view(count, channels) if drops else None
    offset = drawn((channels,), seed + 2, False).requires_grad_()
    taps = drawn((channels, 1, 3, 3), seed + 3, half).float()
    norm, wide = norms(channels, seed + 4)
    (x, w), (p, q) = leaves(images, taps), leaves(images, taps, wide=True)
    found = norm_relu(x, norm, offset, keep, w if smooths else None)
    found.backward(slope)
    before = wide(p + offset.detach().double()[:, None, None])
    wanted = functional.relu(before)
    wanted = wanted * keep.double()[:, :, None, None] if drops else wanted
    wanted = smoothed(wanted, q) if smooths else wanted
    wanted.backward(slope.double())
    pixels, lost = images[:, 0].numel(), cancelled(images)
    near(found.detach(), wanted.detach(), half, pixels, 4 * lost)
    near(norm.running_mean, wide.running_mean, False, pixels, 4)
    near(norm.running_var, wide.running_var, False, pixels)
    assert norm.num_batches_tracked == 1
    assert not offset.grad.any(), "batch norm takes a constant away again"
    # Where the ReLU bends, rounding decides whether a pixel has a gradient.
    if (before.detach().abs() > 1e-4).all():
        near(x.grad, p.grad, half, pixels, 4 * lost**2)
        own, v = pytorchs_own(images, norm, keep, taps, slope) if smooths else (wide, q)
        terms = 16 * pixels
        near(norm.weight.grad, wide.weight.grad, half and smooths, terms, 4 * lost, own.weight.grad)
        near(norm.bias.grad, wide.bias.grad, half and smooths, terms, 4, own.bias.grad)
        if smooths:
            near(w.grad, q.grad, half, terms, 4 * lost, v.grad)


@needs_kernels
@settings(deadline=None, max_examples=40)
@given(shapes, st.integers(1, 5).map(lambda c: 8 * c), halves, st.booleans(), st.integers(0, 99))
def test_what_a_transposed_convolution_makes_is_normalised_where_it_lies(
    shape, more, half, smooths, seed
):
    count, channels, height, width = shape
    below = drawn((count, 16, height + 1, width), seed, half)
    weight = drawn((16, more, 2, 2), seed + 1, half).float()
    skip = drawn((count, channels, 2 * height + 2, 2 * width), seed + 2, half, 3.0, -1.0)
    taps = drawn((channels + more, 1, 3, 3), seed + 3, half).float()
    norm, wide = norms(channels + more, seed + 4)
    a, s, w, t = leaves(below, skip, weight, taps)
    p, r, v, q = leaves(below, skip, weight, taps, wide=True)
    joined = wide(torch.cat((r, functional.conv_transpose2d(p, v, stride=2)), dim=1))
    wanted = smoothed(joined, q) if smooths else joined
    slope = drawn(wanted.shape, seed + 5, half)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        squares = expanded(a, w)
    found = norm_joined(s, squares, norm, None, t if smooths else None)
    found.backward(slope)
    wanted.backward(slope.double())
    assert found.dtype == skip.dtype
    pixels, lost = skip[:, 0].numel(), 8 * cancelled(joined) * cancelled(skip)
    near(found.detach(), wanted.detach(), half, pixels, lost)
    near(s.grad, r.grad, half, pixels, lost**2)
    near(a.grad, p.grad, half, 16 * pixels, lost**2)
    near(w.grad, v.grad, half, 16 * pixels, lost**2)
    near(norm.weight.grad, wide.weight.grad, half, 16 * pixels, lost)
    near(norm.running_var, wide.running_var, half, pixels, 4)


@needs_kernels
@settings(deadline=None, max_examples=25)
@given(shapes, halves, st.integers(0, 99))
def test_pooling_is_pytorchs_ties_too(shape, half, seed):
    shape = (*shape[:2], 2 * shape[2], 2 * shape[3])
    images = drawn(shape, seed, half).round()  # whole numbers: many ties
    x, p = leaves(images)[0], leaves(images)[0]
    found, wanted = pool(x), functional.max_pool2d(p, 2)
    with pytest.raises(ValueError, match="even sides"):
        pool(x[:, :, 1:])
    slope = drawn(wanted.shape, seed + 1, half)
    found.backward(slope)
    wanted.backward(slope)
    assert torch.equal(found, wanted)
    assert torch.equal(x.grad, p.grad)


def cancelled(images):
    """How much larger than what is left the mean is that batch norm takes away."""
    wide = images.detach().double()
    return 1 + (wide.mean((0, 2, 3)).abs() / (wide.var((0, 2, 3)) + 1e-5).sqrt()).max().item()


def step_of(network, forward, half):
    """The logits of one training step; the gradient is in the network's parameters."""
    generator = torch.Generator().manual_seed(3)
    images = torch.rand((4, 1, 48, 32), generator=generator)
    labels = (3 * images[:, 0]).long().clamp(0, 2)
    torch.manual_seed(5)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        logits = forward(images)
    total_loss(Loss(), logits.float(), labels).backward()
    return logits.float().detach()


def network(kind, dropout=0.2):
    torch.manual_seed(1)
    plan = NetworkPlan(convolution=kind, widths=(8, 24, 40), dropout=dropout, classes=3)
    return UNet(plan).train().to(memory_format=torch.channels_last)


@needs_kernels
@pytest.mark.parametrize("kind", ["separable", "conventional"])
def test_a_step_of_a_network_is_pytorchs(kind):
    first = network(kind)
    second = copy.deepcopy(first)
    wanted, found = step_of(first, first, False), step_of(second, NativeUNet(second), False)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)
    for (name, one), other in zip(first.named_parameters(), second.parameters(), strict=True):
        size = one.grad.norm().item()
        if size > 1e-4:  # a bias before batch norm has no gradient but rounding
            # PyTorch's own sums are a hundredth off; the test below holds ours to the exact ones.
            assert (one.grad - other.grad).norm().item() < 0.05 * size, name
    for (name, one), other in zip(first.named_buffers(), second.buffers(), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-5, msg=name)


@needs_kernels
@pytest.mark.parametrize("kind", ["separable", "conventional"])
def test_the_gradients_of_a_step_are_those_of_float64(kind):
    first = network(kind, dropout=0)
    exact = copy.deepcopy(first).double()
    step_of(exact, lambda images: exact(images.double()), False)
    step_of(first, NativeUNet(first), False)
    for (name, one), other in zip(exact.named_parameters(), first.parameters(), strict=True):
        size = one.grad.norm().item()
        if size > 1e-4:
            assert (one.grad - other.grad).norm().item() < 1e-3 * size, name


@needs_kernels
@pytest.mark.parametrize("kind", ["separable", "conventional"])
def test_in_bfloat16_a_step_is_no_further_from_float32_than_pytorchs(kind):
    networks = [network(kind, dropout=0.0)]
    networks += [copy.deepcopy(networks[0]) for _ in range(2)]
    wanted = step_of(networks[0], networks[0], False)
    pytorch = (step_of(networks[1], networks[1], True) - wanted).norm()
    ours = (step_of(networks[2], NativeUNet(networks[2]), True) - wanted).norm()
    assert ours < 1.1 * pytorch
    assert ours < 0.1 * wanted.norm()


@needs_kernels
@pytest.mark.parametrize("half", [False, True], ids=["float32", "bfloat16"])
def test_a_step_is_the_same_to_the_bit_whatever_the_number_of_threads(half):
    """Plain convolutions would hide it: how PyTorch cuts those may hang on its threads."""
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 2):
            torch.set_num_threads(threads)
            images = drawn((3, 24, 37, 29), 0, half).requires_grad_()
            weight = drawn((24, 1, 3, 3), 1, False).requires_grad_()
            norm = torch.nn.BatchNorm2d(24)
            out = norm_relu(depthwise(images, weight), norm, smooth=weight)
            out.backward(drawn(out.shape, 2, half))
            told = (out, images.grad, weight.grad, norm.weight.grad, norm.running_var)
            found.append([each.detach().clone() for each in told])
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


@needs_kernels
def test_a_value_that_is_no_number_stays_one():
    images = torch.full((1, 8, 2, 2), float("nan"), dtype=torch.bfloat16)
    assert depthwise(images, torch.ones(8, 1, 3, 3)).isnan().all()
    assert norm_relu(images, torch.nn.BatchNorm2d(8)).isnan().all()


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """No kernel is loaded, and the cache, whose folder this is, is empty."""
    monkeypatch.setenv(build.CACHE, str(tmp_path / "cache"))
    build.load_kernels.cache_clear()
    yield tmp_path / "cache" / "cardioseg"
    build.load_kernels.cache_clear()


def test_without_a_compiler_the_remedy_is_told(fresh, monkeypatch):
    monkeypatch.setenv(build.COMPILER, "no-such-compiler")
    assert "apt install g++" in kernels_problem()
    with pytest.raises(ConfigError, match="kernels = 'torch'"):
        build.load_kernels()


def test_a_compiler_that_fails_is_quoted_and_leaves_nothing(fresh, monkeypatch, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'unknown option' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv(build.COMPILER, str(broken))
    assert "unknown option" in kernels_problem()
    assert list(fresh.iterdir()) == []


def test_without_a_home_the_remedy_is_told(fresh, monkeypatch):
    def nobody():
        raise RuntimeError("no home")

    monkeypatch.delenv(build.CACHE)
    monkeypatch.setattr(build.Path, "home", nobody)
    monkeypatch.setattr(build, "_compiler", lambda: ("g++",))
    assert "XDG_CACHE_HOME" in kernels_problem()


def test_another_version_of_the_compiler_compiles_anew(monkeypatch, tmp_path):
    compiler = tmp_path / "c++"
    compiler.write_text("1")
    compiler.chmod(0o755)
    before = build._key(b"", (str(compiler),))
    assert build._key(b"", (str(compiler),)) == before
    compiler.write_text("12")
    assert build._key(b"", (str(compiler),)) != before


@needs_kernels
def test_kernels_are_compiled_once(fresh):
    build.load_kernels()
    (made,) = fresh.iterdir()
    written = made.stat().st_mtime_ns
    build.load_kernels.cache_clear()
    build.load_kernels()
    assert made.stat().st_mtime_ns == written
    assert fresh.stat().st_mode & 0o077 == 0, "nobody else may put code there"


def compiled_to(content, monkeypatch):
    """A compiler that leaves this in the place of a library."""

    def compile_(source, compiler, path):
        path.parent.mkdir(parents=True)
        path.write_bytes(content)

    monkeypatch.setattr(build, "_compile", compile_)
    monkeypatch.setattr(build, "_compiler", lambda: ("g++",))


def test_damaged_kernels_are_named(fresh, monkeypatch):
    compiled_to(b"not a library", monkeypatch)
    told = kernels_problem()
    (made,) = fresh.iterdir()
    assert str(made) in told
    assert "remove it" in told


def test_kernels_of_another_user_are_not_run(fresh, monkeypatch):
    compiled_to(b"", monkeypatch)
    monkeypatch.setattr(build.os, "getuid", lambda: -1)
    assert "another user" in kernels_problem()
