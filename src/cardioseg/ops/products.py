"""Small matrix products that leave the cores to whoever needs them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Float32Array = NDArray[np.float32]


def on_both_axes(rows: Float32Array, image: Float32Array, columns: Float32Array) -> Float32Array:
    """A matrix (M, I) on the rows and one (N, J) on the columns of an image (..., I, J).

    On one thread: a product of this size takes a fraction of a millisecond, but threads that BLAS
    has called for help stay awake long after it, and keep the cores from the network. Where another
    thread of the process has said how many BLAS takes, that stands.

    Returns
    -------
    ndarray
        (..., M, N).

    Examples
    --------
    >>> mean = np.array([[0.5, 0.5]], np.float32)
    >>> on_both_axes(mean, np.array([[1, 3], [5, 7]], np.float32), mean)
    array([[4.]], dtype=float32)
    """
    with _blas().limit(limits=1, user_api="blas"):
        answer: Float32Array = np.matmul(rows @ image, columns.T)
    return answer


@cache
def _blas() -> ThreadpoolController:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
