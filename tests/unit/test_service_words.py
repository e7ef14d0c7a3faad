"""The page's words: Spanish for every refusal of the service and for every structure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cardioseg.service
from cardioseg.core.labels import SCHEMES

SERVICE = Path(cardioseg.service.__file__).parent
ENGLISH, SPANISH = (SERVICE / "static/words.js").read_text(encoding="utf-8").split("  es: {")
REFUSAL = re.compile(r'\(\s*(?:self,\s*)?[45]\d\d,\s*"(\w+)"')
KEY = re.compile(r'[{,\n]\s*"?([\w.\- ]+?)"?: [`"]')

CODES = sorted(
    {code for path in SERVICE.glob("*.py") for code in REFUSAL.findall(path.read_text("utf-8"))}
)
STRUCTURES = sorted({structure.name for scheme in SCHEMES for structure in scheme.structures})


def test_the_codes_are_found() -> None:
    assert {"busy", "too_large", "no_such_job", "changed_meanwhile", "token"} <= set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_every_refusal_is_told_in_spanish(code: str) -> None:
    assert f"problem.{code}" in KEY.findall(SPANISH)


@pytest.mark.parametrize("name", STRUCTURES)
def test_every_structure_has_a_spanish_name(name: str) -> None:
    assert name in KEY.findall(SPANISH)


def test_every_english_word_has_a_spanish_one() -> None:
    assert set(KEY.findall(ENGLISH)) <= set(KEY.findall(SPANISH))
