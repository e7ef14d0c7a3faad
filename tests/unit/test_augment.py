"""Augmentation: one draw moves image and labels alike, and by what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cardioseg.data.augment import Augmentation, Draw, draw

few = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1)

NOTHING = Augmentation(rotation_deg=0, shift=0, zoom=0)
STRONG = Augmentation(
    rotation_deg=90,
    shift=0.3,
    zoom=0.5,
    flips=True,
    quarter_turns=True,
    gamma=1.0,
    contrast=0.5,
    brightness=0.3,
    noise=0.2,
    blur=0.5,
    bias=0.4,
    curve=1.0,
    bands=0.5,
)


def batch(count=2, rows=16, columns=16, seed=0):
    """Random images (N, 1, H, W) and labels (N, H, W) of values 0 and 2."""
    rng = np.random.default_rng(seed)
    images = torch.from_numpy(rng.random((count, 1, rows, columns), np.float32))
    return images, torch.from_numpy(2 * rng.integers(0, 2, (count, rows, columns)))


def middles(images):
    return np.tile((np.array(images.shape[-2:]) - 1) / 2, (len(images), 1))


def drawn(augmentation, images, seed=0, size=None):
    size = size or tuple(images.shape[-2:])
    return draw(augmentation, middles(images), np.random.default_rng(seed), size)


def moving(matrix, images, shift=(0, 0)):
    """A draw that moves and leaves intensities alone."""
    count = len(images)
    return Draw(
        matrices=np.tile(np.array(matrix, np.float32), (count, 1, 1)),
        centres=(middles(images) + shift).astype(np.float32),
        tone=np.tile(np.array([1, 1, 0], np.float32), (count, 1)),
        noise_sd=np.zeros(count, np.float32),
        blurred=np.zeros(count, bool),
        noise_seed=0,
    )


def assert_moves(draws, images, labels, change):
    """Image and labels come out as `change` of their arrays."""
    size = tuple(images.shape[-2:])
    moved, moved_labels = draws.sample(images, labels, size)
    np.testing.assert_allclose(moved[:, 0], change(images[:, 0].numpy()), atol=1e-4)
    np.testing.assert_array_equal(moved_labels, change(labels.numpy()))


@pytest.mark.parametrize(("rows", "columns"), [(16, 16), (15, 12)])
def test_without_ranges_nothing_changes(rows, columns):
    images, labels = batch(3, rows, columns)
    assert_moves(drawn(NOTHING, images), images, labels, lambda a: a)


@few
@given(st.integers(-20, 20), st.integers(-20, 20))
def test_a_shift_by_whole_pixels_repeats_the_border(down, right):
    images, labels = batch(rows=12, columns=14)

    def shifted(array):
        rows = np.clip(np.arange(12) + down, 0, 11)
        columns = np.clip(np.arange(14) + right, 0, 13)
        return array[:, rows][:, :, columns]

    assert_moves(moving(np.eye(2), images, (down, right)), images, labels, shifted)


def test_a_smaller_output_is_cut_out_around_its_centre():
    images, labels = batch(rows=16, columns=16)
    patch, patch_labels = moving(np.eye(2), images, (2, -1)).sample(images, labels, (8, 6))
    np.testing.assert_allclose(patch, images[:, :, 6:14, 4:10], atol=1e-5)
    np.testing.assert_array_equal(patch_labels, labels[:, 6:14, 4:10])


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_positive_angle_turns_clockwise(turns):
    angle = turns * np.pi / 2
    matrix = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    images, labels = batch()
    draws = moving(matrix, images)
    assert_moves(draws, images, labels, lambda a: np.rot90(a, -turns, axes=(1, 2)))


def test_an_angle_of_30_degrees_moves_a_mark_by_30_degrees():
    images, labels = torch.zeros(1, 1, 65, 65), torch.zeros(1, 65, 65, dtype=torch.int64)
    labels[0, 31:34, 51:54] = 1  # 20 pixels right of the middle
    rotation = Augmentation(rotation_deg=30, shift=0, zoom=0)
    seed = 1
    drew = drawn(rotation, images, seed)
    angle = np.random.default_rng(seed).uniform(-np.pi / 6, np.pi / 6, 1).item()
    _, moved = drew.sample(images, labels, (65, 65))
    row, column = (float(axis.double().mean()) - 32 for axis in torch.nonzero(moved[0]).T)
    assert (row, column) == pytest.approx((20 * np.sin(angle), 20 * np.cos(angle)), abs=0.5)


@pytest.mark.parametrize(("name", "choices"), [("quarter_turns", 4), ("flips", 4)])
def test_turns_and_flips_are_exact_and_all_occur(name, choices):
    images, labels = batch(32, 12, 12)
    moved, moved_labels = drawn(NOTHING.model_copy(update={name: True}), images).sample(
        images, labels, (12, 12)
    )
    seen = set()
    for before, after in zip(labels, moved_labels, strict=True):
        variants = (
            [np.rot90(before, k) for k in range(4)]
            if name == "quarter_turns"
            else [before.numpy()[::a, ::b] for a in (1, -1) for b in (1, -1)]
        )
        matches = [k for k, v in enumerate(variants) if np.array_equal(v, after)]
        assert matches
        seen.update(matches)
    assert len(seen) == choices
    np.testing.assert_allclose(moved.sum((1, 2, 3)), images.sum((1, 2, 3)), rtol=1e-4)


@few
@given(seeds)
def test_zoom_scales_the_area_by_the_factors_of_the_two_axes(seed):
    rows, columns = np.ogrid[:96, :96]
    disc = torch.from_numpy(((rows - 47.5) ** 2 + (columns - 47.5) ** 2 < 20**2).astype(np.int64))
    images, labels = disc[None, None].float(), disc[None]
    drew = drawn(Augmentation(rotation_deg=0, shift=0, zoom=0.4), images, seed)
    factors = 1 / np.diag(drew.matrices[0])
    assert ((factors >= 0.6 - 1e-5) & (factors <= 1.4 + 1e-5)).all()
    _, moved = drew.sample(images, labels, (96, 96))
    assert int(moved.sum()) == pytest.approx(int(labels.sum()) * factors.prod(), rel=0.05)
    height, width = (np.ptp(axis.numpy()) + 1 for axis in torch.nonzero(moved[0]).T)
    assert (height, width) == pytest.approx(40 * factors, abs=2)


@few
@given(seeds)
def test_labels_encoded_as_an_image_move_with_the_labels(seed):
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 3, (2, 6, 6)).repeat(4, axis=1).repeat(4, axis=2)
    labels = torch.from_numpy(blocks)
    moves = STRONG.model_copy(
        update={"gamma": 0.0, "contrast": 0.0, "brightness": 0.0, "noise": 0.0, "blur": 0.0}
        | {"bias": 0.0, "curve": 0.0, "bands": 0.0}
    )
    for value in range(3):
        encoded = (labels == value)[:, None].float()
        drew = draw(moves, middles(encoded), np.random.default_rng(seed), (24, 24))
        image, moved = drew.sample(encoded, labels, (20, 16))
        assert (moved[image[:, 0] > 1 - 1e-4] == value).all()
        assert (moved[image[:, 0] < 1e-4] != value).all()


@few
@given(seeds)
def test_labels_keep_only_values_that_were_there_and_intensity_leaves_them_alone(seed):
    images, labels = batch(4, seed=seed)
    _, moved = drawn(STRONG, images, seed).sample(images, labels, (8, 8))
    assert set(torch.unique(moved).tolist()) <= {0, 2}
    toned = STRONG.model_copy(
        update={"rotation_deg": 0.0, "shift": 0.0, "zoom": 0.0, "flips": False}
        | {"quarter_turns": False}
    )
    changed, same = drawn(toned, images, seed).sample(images, labels, (16, 16))
    assert torch.equal(same, labels)
    assert not torch.allclose(changed, images, atol=1e-3)
    assert torch.isfinite(changed).all()


@few
@given(seeds, st.floats(0, 180), st.floats(0, 1), st.floats(0, 0.9))
def test_draws_stay_in_their_ranges(seed, rotation_deg, shift, zoom):
    a = STRONG.model_copy(
        update={"rotation_deg": rotation_deg, "shift": shift, "zoom": zoom}
        | {"flips": False, "quarter_turns": False}
    )
    images, _ = batch(5)
    drew = drawn(a, images, seed, size=(10, 30))
    # Columns of the matrix are those of a rotation, each times one axis' scale.
    scales = np.linalg.norm(drew.matrices, axis=1)
    angles = np.degrees(np.arctan2(drew.matrices[:, 1, 0], drew.matrices[:, 0, 0]))
    assert (np.abs(angles) <= rotation_deg + 1e-3).all()
    assert ((scales >= 1 / (1 + zoom) - 1e-4) & (scales <= 1 / (1 - zoom) + 1e-4)).all()
    assert (np.abs(drew.centres - middles(images)) <= shift * np.array([10, 30]) + 1e-4).all()
    gamma, contrast, brightness = drew.tone.T
    assert ((gamma >= 0.5 - 1e-6) & (gamma <= 2 + 1e-6)).all()
    assert ((contrast >= 0.5 - 1e-6) & (contrast <= 1.5 + 1e-6)).all()
    assert (np.abs(brightness) <= 0.3 + 1e-6).all()
    assert ((drew.noise_sd >= 0) & (drew.noise_sd <= 0.2)).all()


def test_a_seed_decides_everything_noise_included():
    images, labels = batch(6)
    first, again, other = (drawn(STRONG, images, seed) for seed in (7, 7, 8))
    image, moved = first.sample(images, labels, (16, 16))
    for same in (first, again):
        image_again, moved_again = same.sample(images, labels, (16, 16))
        assert torch.equal(image, image_again)
        assert torch.equal(moved, moved_again)
    assert not torch.equal(image, other.sample(images, labels, (16, 16))[0])


def test_noise_has_the_drawn_strength():
    images = torch.full((1, 1, 100, 100), 0.5)
    drew = drawn(NOTHING.model_copy(update={"noise": 1.0}), images, 3)
    noisy, _ = drew.sample(images, torch.zeros(1, 100, 100, dtype=torch.int64), (100, 100))
    assert float(noisy.std()) == pytest.approx(drew.noise_sd.item(), rel=0.05)


@few
@given(seeds)
def test_an_intensity_curve_keeps_the_order_and_the_ends(seed):
    ramp = torch.linspace(-1, 3, 256).reshape(1, 1, 16, 16)
    bent, _ = drawn(NOTHING.model_copy(update={"curve": 2.0}), ramp, seed).sample(
        ramp, torch.zeros(1, 16, 16, dtype=torch.int64), (16, 16)
    )
    values = bent.flatten()
    assert (values.diff() >= -1e-5).all()
    assert (float(values[0]), float(values[-1])) == pytest.approx((-1, 3), abs=1e-4)


def test_curves_bend_and_differ_between_images():
    ramp = torch.linspace(0, 1, 256).reshape(1, 1, 16, 16).repeat(2, 1, 1, 1)
    bent, _ = drawn(NOTHING.model_copy(update={"curve": 2.0}), ramp, 1).sample(
        ramp, torch.zeros(2, 16, 16, dtype=torch.int64), (16, 16)
    )
    assert float((bent - ramp).abs().max()) > 0.05
    assert float((bent[0] - bent[1]).abs().max()) > 0.05


@few
@given(seeds)
def test_bias_is_a_smooth_gain_of_the_drawn_strength(seed):
    flat = torch.ones(1, 1, 64, 64)
    flat[0, 0, 0, 0] = 0  # the darkest pixel stays where it is: the gain multiplies what is above
    drew = drawn(NOTHING.model_copy(update={"bias": 0.5}), flat, seed)
    image, _ = drew.sample(flat, torch.zeros(1, 64, 64, dtype=torch.int64), (64, 64))
    assert float(image[0, 0, 0, 0]) == pytest.approx(0, abs=1e-5)
    log_gain = image[0, 0].flatten()[1:].log()
    assert float(log_gain.abs().max()) <= float(np.abs(drew.log_gain).max()) * 1.5 + 1e-4
    steps = image[0, 0, 1:, 1:].diff(dim=0).abs()
    assert float(steps.max()) <= 0.2 * float(np.ptp(drew.log_gain)) * float(image.max()) + 1e-4


def test_bands_are_dark_where_the_field_is_off_by_whole_cycles():
    flat = torch.ones(1, 1, 33, 65)
    flat[0, 0, 0, 0] = 0  # the darkest pixel stays where it is
    across = replace(  # two cycles from the left to the right: dark at both edges and in the middle
        moving(np.eye(2), flat),
        fields=np.array([[0, 0, 1, 0, 0, 0]], np.float32),
        bands=np.array([[0.1, 0.75]], np.float32),
    )
    image, _ = across.sample(flat, torch.zeros(1, 33, 65, dtype=torch.int64), (33, 65))
    row = image[0, 0, 16]
    np.testing.assert_allclose(row[[0, 32, 64]], 0.25, atol=1e-4)
    np.testing.assert_allclose(row[[16, 48]], 1, atol=1e-4)
    assert float(row[32 + 3]) == pytest.approx(1 - 0.75 * np.exp(-((3 / 32 / 0.1) ** 2)), abs=1e-3)
    np.testing.assert_allclose(image[0, 0, 1:, 1:], row[1:].expand(32, -1), atol=1e-6)


def test_the_share_of_slices_with_bands_is_as_drawn_and_the_others_stay():
    images, labels = batch(400, 8, 8)
    drew = drawn(NOTHING.model_copy(update={"bands": 0.3}), images, 1)
    banded = drew.bands[:, 1] > 0
    assert banded.mean() == pytest.approx(0.3, abs=0.07)
    changed, same = drew.sample(images, labels, (8, 8))
    assert torch.equal(same, labels)
    differs = (changed - images).abs().amax((1, 2, 3)) > 1e-3
    assert not (differs.numpy() & ~banded).any()
    assert differs.numpy()[banded].mean() > 0.95


def test_bands_are_drawn_last_so_that_all_else_stays_as_it_was_without_them():
    images, _ = batch(6)
    without = drawn(STRONG.model_copy(update={"bands": 0.0}), images, 5)
    drew = drawn(STRONG, images, 5)
    assert not without.fields.size
    for name in ("matrices", "centres", "tone", "noise_sd", "blurred", "log_gain", "curves"):
        np.testing.assert_array_equal(getattr(without, name), getattr(drew, name))


@pytest.mark.parametrize("size", [(16, 16), (15, 9)])
def test_blur_keeps_the_mean_and_removes_detail_on_any_sides(size):
    images, labels = batch(1, *size)
    blurred, _ = drawn(NOTHING.model_copy(update={"blur": 1.0}), images).sample(
        images, labels, size
    )
    assert blurred.shape == images.shape
    assert float(blurred.mean()) == pytest.approx(float(images.mean()), abs=0.05)
    assert blurred.std() < 0.75 * images.std()


@pytest.mark.parametrize(
    "wrong", [{"rotate": 5}, {"zoom": 1.0}, {"shift": -0.1}, {"rotation_deg": 181}, {"gamma": -1}]
)
def test_unknown_names_and_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Augmentation(**wrong)
