"""One reading of each case for all who ask: digests of what it holds, and its thumbnail."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cardioseg.core.case import Case
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.data.near import Float32Array, thumbnail


@dataclass(frozen=True, eq=False)
class Look:
    """What a case's files hold.

    Parameters
    ----------
    content
        The image's :func:`content_digest`.
    exact
        SHA-256 of image, grid and labels as they are.
    thumbnail
        For :func:`cardioseg.data.near.near_pairs`.
    """

    content: str
    exact: str
    thumbnail: Float32Array


def content_digest(image: Volume) -> str:
    """SHA-256 of an image's voxel values, whatever its name, header or storage order.

    They are sorted first, so that a mirrored or turned copy has the digest of its original.
    """
    return hashlib.sha256(np.sort(image.array, axis=None).tobytes()).hexdigest()


def combined_digest(digests: Iterable[str]) -> str:
    """One digest of many, whatever their order."""
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()


def look_at(image: Volume, labels: LabelMap | None) -> Look:
    """Digests and thumbnail of an image and its labels, if it has any."""
    exact = hashlib.sha256(f"{image.geometry.shape}\n".encode())
    exact.update(image.geometry.affine.tobytes())
    exact.update(image.array.tobytes())
    if labels is not None:
        exact.update(f"{labels.scheme.name}\n".encode())
        exact.update(labels.array.tobytes())
    return Look(content_digest(image), exact.hexdigest(), thumbnail(image))


class Looks:
    """Looks at cases, each read once however often it is asked for: a split, the leak check, the
    cache of slices and the digest of the data all need them.
    """

    def __init__(self) -> None:
        self._seen: dict[Case, Look] = {}

    def of(self, case: Case) -> Look:
        """The look at a case; errors as reading it."""
        if case not in self._seen:
            labelled = case.load_labels is not None
            image, labels = case.pair() if labelled else (case.image(), None)
            self._seen[case] = look_at(image, labels)
        return self._seen[case]

    def keep(self, case: Case, look: Look) -> None:
        """A look that was had elsewhere, where the case was just made or read."""
        self._seen[case] = look


def data_digest(looks: Looks, cases: Sequence[Case]) -> str:
    """One digest of all images, whatever their order and names."""
    return combined_digest(looks.of(case).content for case in cases)


def labels_digest(looks: Looks, cases: Sequence[Case]) -> str:
    """One digest of all images and labels as they lie: values, order and grid; not of names."""
    return combined_digest(looks.of(case).exact for case in cases)


def digests(looks: Looks, cases: Sequence[Case]) -> dict[str, str]:
    """Both digests under the names that records give them."""
    return {"data_digest": data_digest(looks, cases), "labels_digest": labels_digest(looks, cases)}
