"""Pictures of two axes, PNG and NIfTI without depth: one slice that shows what the screen does."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from PIL import Image

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, FOREGROUND
from cardioseg.errors import FormatError, LabelError, ReadWarning
from cardioseg.io.images import (
    notes_of,
    read_exact,
    read_frames,
    read_geometry,
    read_labels,
    read_volume,
)
from cardioseg.io.scans import read_scan
from cardioseg.prepare.plan import NetworkPlan, Plan
from cardioseg.prepare.preparation import Preparation

ROWS, COLUMNS = 16, 24
GREY = np.random.default_rng(3).integers(0, 256, (ROWS, COLUMNS)).astype(np.uint8)
DPI = (50.8, 25.4)
"""0.5 mm from column to column, 1 mm from row to row."""


def saved(path: Path, array: np.ndarray, dpi: tuple[float, float] | None = DPI) -> Path:
    Image.fromarray(array).save(path, **({"dpi": dpi} if dpi else {}))
    return path


def test_a_png_is_one_slice_with_the_pixels_of_the_file(tmp_path: Path) -> None:
    path = saved(tmp_path / "cells.png", GREY)
    volume = read_volume(path)
    assert volume.geometry.shape == (COLUMNS, ROWS, 1)
    assert volume.geometry.spacing == pytest.approx((0.5, 1.0, 1.0))
    assert volume.geometry.orientation == "LPS"
    np.testing.assert_array_equal(volume.array[..., 0].T, GREY)
    assert read_geometry(path).is_same(volume.geometry)
    assert "one slice of 1 mm" in read_scan(path).notes[0]


def test_the_network_sees_a_picture_as_the_screen_shows_it(tmp_path: Path) -> None:
    """Not turned, not mirrored: rows are rows, the first one on top."""
    volume = read_volume(saved(tmp_path / "cells.png", GREY, (25.4, 25.4)))
    network = NetworkPlan(widths=(4, 8), classes=2)
    plan = Plan(spacing_mm=1.0, size=(ROWS, COLUMNS), network=network, scheme="foreground")
    (seen,) = Preparation(volume.geometry, plan).slices(volume)
    low, high = np.percentile(GREY, (1, 99))
    np.testing.assert_allclose(seen, np.clip((GREY - low) / (high - low), 0, 1), atol=1e-4)


@pytest.mark.parametrize("spacing", [(3.0, 2.0, 1.0), (1.0, 1.0, 1.0), (0.3, 0.3, 8.0)])
def test_the_plane_of_a_picture_is_its_own_whatever_the_spacings(spacing) -> None:
    assert Geometry((9, 9, 1), np.diag([*spacing, 1.0])).native_axis == 2
    assert Geometry((1, 9, 9), np.diag([*spacing, 1.0])).native_axis == 0


def test_a_png_without_pixel_size_is_told(tmp_path: Path) -> None:
    path = saved(tmp_path / "cells.png", GREY, None)
    with pytest.warns(ReadWarning, match=r"cells\.png: no pixel size in the file: a pixel counts"):
        volume = read_volume(path)
    assert volume.geometry.spacing == (1, 1, 1)
    assert "no pixel size" in notes_of(path)[1]


def test_depths_of_grey_and_equal_colours_are_read_alike(tmp_path: Path) -> None:
    deep = GREY.astype(np.uint16) * 257
    three = np.repeat(GREY[..., None], 3, axis=2)
    opaque = np.dstack([three, np.full_like(GREY, 255)])
    for name, array, factor in (("i", deep, 257), ("rgb", three, 1), ("rgba", opaque, 1)):
        volume = read_volume(saved(tmp_path / f"{name}.png", array))
        np.testing.assert_array_equal(volume.array[..., 0].T, GREY * np.float32(factor))


def test_masks_are_black_and_white_numbers_or_a_palette(tmp_path: Path) -> None:
    mask = (GREY > 99).astype(np.uint8)
    coloured = Image.fromarray(mask * 3).convert("P")
    coloured.putdata((mask * 3).ravel().tolist())
    coloured.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    coloured.save(tmp_path / "palette.png", dpi=DPI)
    saved(tmp_path / "numbers.png", mask * 3)
    for name in ("palette", "numbers"):
        labels = read_labels(tmp_path / f"{name}.png", ACDC)
        np.testing.assert_array_equal(labels.array[..., 0].T, mask * 3)
    for name, array in (("one", mask), ("white", mask * 255), ("bits", mask.astype(bool))):
        labels = read_labels(saved(tmp_path / f"{name}.png", array), FOREGROUND)
        np.testing.assert_array_equal(labels.array[..., 0].T, mask)
    geometry, (exact,) = read_exact(tmp_path / "palette.png")
    assert geometry.shape == (COLUMNS, ROWS, 1)
    assert set(np.unique(exact)) == {0, 3}


def test_a_mask_with_soft_edges_or_other_numbers_is_refused(tmp_path: Path) -> None:
    soft = np.zeros((ROWS, COLUMNS), np.uint8)
    soft[4:9, 4:9], soft[4, 4:9] = 255, 128
    with pytest.raises(LabelError, match=r"soft\.png: .*label value 128 is unknown"):
        read_labels(saved(tmp_path / "soft.png", soft), FOREGROUND)
    with pytest.raises(LabelError, match=r"white\.png: label values 255 are not in scheme acdc"):
        read_labels(saved(tmp_path / "white.png", (soft > 0) * np.uint8(255)), ACDC)


@pytest.mark.parametrize(
    ("kind", "samples"), [(2, [0, 0, 0, 3, 3, 3]), (4, [0, 65535, 3, 65535])], ids=["rgb", "alpha"]
)
def test_sixteen_bits_a_colour_would_be_cut_to_black(tmp_path: Path, kind: int, samples) -> None:
    """The reader of PNG keeps the high byte: labels 1, 2 and 3 would all be background."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    row = bytes(1) + struct.pack(f">{len(samples)}H", *samples)
    path = tmp_path / "deep.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, kind, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(row))
        + chunk(b"IEND", b"")
    )
    for read in (lambda: read_labels(path, ACDC), lambda: read_volume(path)):
        with pytest.raises(
            FormatError, match=r"deep\.png: 16 bits a colour, .*save the image in gr"
        ):
            read()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"not a picture", "not a PNG picture"),
        (None, "cannot be read"),
    ],
)
def test_a_bad_png_is_told(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "bad.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FormatError, match=rf"bad\.png: {words}"):
        read_volume(path)


def test_a_cut_png_a_false_name_and_colour_are_told(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (99, 99)).astype(np.uint8)
    whole = saved(tmp_path / "cut.png", noise).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(GREY).save(tmp_path / "false.png", format="JPEG")
    saved(tmp_path / "colour.png", np.dstack([GREY, GREY, GREY[::-1]]))
    clear = np.dstack([GREY, GREY, GREY, GREY])
    saved(tmp_path / "clear.png", clear)
    for name, words in (
        ("cut", "cannot be read"),
        ("false", "not a PNG picture"),
        ("colour", "in colour or transparent"),
        ("clear", "in colour or transparent"),
    ):
        with pytest.raises(FormatError, match=words):
            read_frames(tmp_path / f"{name}.png")


@pytest.mark.parametrize("side", [9000, 60000])
def test_a_header_that_promises_too_many_pixels_is_refused_at_once(
    tmp_path: Path, side: int
) -> None:
    data = bytearray(saved(tmp_path / "big.png", GREY).read_bytes())
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    (tmp_path / "big.png").write_bytes(data)
    with pytest.raises(FormatError, match=r"big\.png: .*pixels"):
        read_volume(tmp_path / "big.png")


def test_a_nifti_of_two_axes_is_read_as_itk_places_it(tmp_path: Path) -> None:
    picture = SimpleITK.GetImageFromArray(GREY)
    picture.SetSpacing((0.308, 0.154))
    picture.SetOrigin((7.0, -3.0))
    SimpleITK.WriteImage(picture, str(tmp_path / "echo.nii.gz"))
    with pytest.warns(ReadWarning, match="a picture of two axes: read as one slice of 1 mm"):
        volume = read_volume(tmp_path / "echo.nii.gz")
    assert volume.geometry.spacing == pytest.approx((0.308, 0.154, 1.0))
    np.testing.assert_allclose(volume.geometry.origin, (-7.0, 3.0, 0.0), atol=1e-5)
    np.testing.assert_array_equal(volume.array[..., 0].T, GREY)


@pytest.mark.parametrize("code", ["sform", "qform", "none"])
def test_a_picture_whose_header_gives_its_third_axis_no_length(tmp_path: Path, code: str) -> None:
    raw = nibabel.Nifti1Image(GREY.T, None)
    raw.header["pixdim"][1:4] = (0.4, 0.4, 0.0)
    flat = np.diag([-0.4, -0.4, 0.0, 1.0])
    if code == "sform":
        raw.header.set_sform(flat, 1)
    if code == "qform":
        raw.header["qform_code"] = 1
    (tmp_path / "echo.nii").write_bytes(
        raw.header.binaryblock[:344] + b"n+1\0" + bytes(4) + GREY.T.tobytes(order="F")
    )
    data = bytearray((tmp_path / "echo.nii").read_bytes())
    data[108:112] = np.float32(352).tobytes()
    (tmp_path / "echo.nii").write_bytes(data)
    with pytest.warns(ReadWarning) as told:
        volume = read_volume(tmp_path / "echo.nii")
    assert any("a picture of two axes" in str(each.message) for each in told)
    assert volume.geometry.spacing == pytest.approx((0.4, 0.4, 1.0))
    np.testing.assert_array_equal(volume.array[..., 0].T, GREY)
