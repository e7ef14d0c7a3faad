"""Search spaces and overrides: what they hold, and errors that name the key."""

from __future__ import annotations

import pytest

from cardioseg.errors import ConfigError
from cardioseg.training.config import read_config
from cardioseg.training.override import overridden
from cardioseg.training.space import Choices, Range, read_space

BASE = read_config("tiny")


def space_of(folder, text):
    path = folder / "space.toml"
    path.write_text(text)
    return read_space(path)


def test_the_package_has_a_space_that_every_preset_allows():
    space = read_space()
    assert list(space.parameters) == ["learning_rate", "batch_size", "plan.network.dropout"]
    for name in ("paper", "fast", "tiny"):
        space.check(read_config(name))


def test_keys_may_be_dotted_or_tables(tmp_path):
    text = """
    batch_size = { choices = [4, 8] }
    plan.network.widths = { choices = [[4, 8], [8, 16]] }
    [loss.region]
    choices = ["dice", "tversky"]
    [augmentation]
    rotation_deg = { low = 0, high = 30, step = 10 }
    zoom = { low = 0.0, high = 0.2 }
    """
    space = space_of(tmp_path, text)
    assert space.parameters == {
        "batch_size": Choices(choices=(4, 8)),
        "plan.network.widths": Choices(choices=([4, 8], [8, 16])),
        "loss.region": Choices(choices=("dice", "tversky")),
        "augmentation.rotation_deg": Range(low=0, high=30, step=10),
        "augmentation.zoom": Range(low=0.0, high=0.2),
    }
    space.check(BASE)
    assert space.parameters["augmentation.rotation_deg"].is_whole
    assert not space.parameters["augmentation.zoom"].is_whole
    assert space.parameters["plan.network.widths"].labelled == {
        "[4, 8]": [4, 8],
        "[8, 16]": [8, 16],
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = ", "not valid TOML"),
        ("# nothing", "names no key to search"),
        ("batch_size = 4", "batch_size: "),
        ("batch_size = { low = 4 }", "batch_size: high"),
        ("batch_size = { low = 4, hihg = 8 }", "batch_size: .*hihg"),
        ("batch_size = { low = 8, high = 4 }", "low 8 must lie below high 4"),
        ("batch_size = { low = 0, high = 4, log = true }", "log needs low above 0"),
        ("batch_size = { low = 1, high = 4, step = 1, log = true }", "exclude each other"),
        ("batch_size = { low = 1, high = 4, step = 2 }", "not a whole number of steps"),
        ("batch_size = { low = 1, high = inf }", "batch_size: "),
        ("batch_size = { choices = [] }", "batch_size: choices"),
        ("batch_size = { choices = [4, 4] }", "named twice"),
    ],
)
def test_a_space_that_is_none_is_refused_with_file_and_key(tmp_path, text, told):
    with pytest.raises(ConfigError, match=rf"space\.toml: .*{told}"):
        space_of(tmp_path, text)


def test_a_space_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        read_space(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("learning_rat = { low = 0.1, high = 0.2 }", "learning_rat: a configuration has no such"),
        ("plan.netwrok.dropout = { low = 0.1, high = 0.2 }", r"plan\.netwrok\.dropout: a config"),
        ("plan.network.dropuot = { low = 0.1, high = 0.2 }", "dropuot.*here are .*dropout"),
        ("seed.x = { choices = [1] }", r"seed\.x: a configuration has no such key"),
        ("plan.network.dropout = { low = 0.1, high = 1.2 }", r"dropout = 1\.2: plan\.network\.dr"),
        ('loss.region = { choices = ["dice", "dise"] }', r"loss\.region = dise: loss\.region"),
        ("plan.network.widths = { choices = [[4, 8, 8, 8, 8, 8, 8, 8]] }", "must be multiples"),
    ],
)
def test_keys_and_values_that_a_configuration_refuses_are_named(tmp_path, text, told):
    with pytest.raises(ConfigError, match=rf"space\.toml: .*{told}"):
        space_of(tmp_path, text).check(BASE)


def test_overriding_leaves_the_base_alone_and_checks_what_comes_out():
    changed = overridden(BASE, {"plan.network.widths": [4, 8], "loss.boundary": 0.1})
    assert changed.plan.network.widths == (4, 8)
    assert changed.loss.boundary == 0.1
    assert BASE.plan.network.widths == (16, 32, 64, 128)
    assert overridden(BASE, {}) == BASE
    with pytest.raises(ConfigError, match=r"optimiser = adam, weight_decay = 0\.1: .*adamw"):
        overridden(BASE, {"optimiser": "adam", "weight_decay": 0.1})
