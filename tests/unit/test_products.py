"""Products on both axes: what they are, and that they leave BLAS as it was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from threadpoolctl import threadpool_info, threadpool_limits

from cardioseg.ops.products import on_both_axes

RNG = np.random.default_rng(0)
ROWS, COLUMNS = RNG.random((7, 5), np.float32), RNG.random((3, 6), np.float32)


def threads() -> set[int]:
    return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}


class Watched:
    """A matrix that tells how many threads BLAS has while it is multiplied."""

    def __init__(self) -> None:
        self.seen: list[set[int]] = []

    def __matmul__(self, image: Any) -> Any:
        self.seen.append(threads())
        return ROWS @ image


@pytest.mark.parametrize("lead", [(), (4,), (2, 3)])
def test_it_is_the_sum_over_rows_and_columns(lead: tuple[int, ...]) -> None:
    image = RNG.random((*lead, 5, 6), np.float32)
    expected = np.einsum("mi,...ij,nj->...mn", ROWS, image, COLUMNS)
    found = on_both_axes(ROWS, image, COLUMNS)
    assert found.dtype == np.float32
    assert_allclose(found, expected, rtol=1e-5)


def test_blas_has_one_thread_meanwhile_and_its_own_number_after() -> None:
    image, rows = RNG.random((5, 6), np.float32), Watched()
    with threadpool_limits(2, user_api="blas"):
        on_both_axes(rows, image, COLUMNS)  # type: ignore[arg-type]
        assert threads() == {2}
    assert rows.seen == [{1}]


def test_callers_at_the_same_time_leave_blas_as_it_was() -> None:
    image = RNG.random((5, 6), np.float32)
    expected = on_both_axes(ROWS, image, COLUMNS)
    with threadpool_limits(2, user_api="blas"):
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda _: on_both_axes(ROWS, image, COLUMNS), range(200)))
        assert threads() == {2}
    assert all((each == expected).all() for each in made)
