"""Shares of the inputs: every input is in exactly one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardioseg.errors import ConfigError
from cardioseg.scale.shards import shard_named


@settings(deadline=None)
@given(total=st.integers(0, 200), count=st.integers(1, 40))
def test_every_input_is_in_exactly_one_share_and_none_is_larger_by_two(total, count):
    inputs = range(total)
    shares = [shard_named(f"{number}/{count}").of(inputs) for number in range(1, count + 1)]
    assert sorted(each for share in shares for each in share) == list(inputs)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert all(list(share) == sorted(share) for share in shares)


@pytest.mark.parametrize("words", ["", "3", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "a/b", "١/٢"])
def test_another_form_is_refused_and_told(words):
    with pytest.raises(ConfigError, match="--shard"):
        shard_named(words)
