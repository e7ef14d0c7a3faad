"""Fixtures that every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def _folder(name: str) -> Path:
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"real images are not here: {name} (see docs/data.md)")
    return folder


@pytest.fixture(scope="session")
def acdc_root() -> Path:
    """ACDC as it comes: 80 patients in training/, with splits.json."""
    return _folder("acdc")


@pytest.fixture(scope="session")
def hvsmr_root() -> Path:
    """HVSMR-2016: image and labels of patient 4, label maps of six others."""
    return _folder("hvsmr2016")


@pytest.fixture(scope="session")
def pig_root() -> Path:
    """One short-axis cine of a pig as the scanner wrote it: 20 positions, 20 phases."""
    return _folder("pig_cine")
