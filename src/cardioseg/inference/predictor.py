"""From a volume to labels on its own grid."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.engines.engine import Engine, half_of_cores
from cardioseg.errors import PlaneWarning
from cardioseg.inference.ensemble import Mirrored
from cardioseg.inference.planes import LARGEST_SCORES_BYTES, labels_of_planes, scores_bytes
from cardioseg.inference.window import scores_of
from cardioseg.model import SHARED, Model, open_engine, open_model
from cardioseg.ops.components import keep_one_heart
from cardioseg.prepare.plan import Plane, single_planes
from cardioseg.prepare.preparation import Preparation

Float32Array = NDArray[np.float32]

ANISOTROPIC = 3.0
"""Largest over smallest spacing above which slices across the stack are told as poor; nnU-Net's
threshold for anisotropic data (Isensee 2021, DOI 10.1038/s41592-020-01008-z)."""


@dataclass(frozen=True)
class Provenance:
    """What made a prediction: model, engine, the options that change the answer, the time."""

    model: str
    model_id: str
    engine: str
    plane: Plane
    mirrors: bool
    largest_component: bool
    seconds: float
    located: bool = False


@dataclass(frozen=True, eq=False)
class Prediction:
    """Labels on the input's own grid, and what made them.

    Parameters
    ----------
    labels
        The labels.
    provenance
        What made them.
    found_voxels
        Voxels that were called heart before loose pieces were dropped; None where nobody counted.
    """

    labels: LabelMap
    provenance: Provenance
    found_voxels: int | None = None


@dataclass(frozen=True, eq=False)
class Predictor:
    """A model and the engine that runs it.

    Parameters
    ----------
    model
        The model.
    engine
        Runs its network.
    plane
        Slices are taken in this plane; None takes the model's. `orthogonal` averages the scores of
        axial, coronal and sagittal slices.
    mirrors
        Average the scores of the four mirrored slices: four times the work.
    largest_component
        Keep one heart and one piece of each structure in it, in the native plane every piece of
        those that the scheme says lie apart; None does what the plan says.
    locate
        Find the heart in a few slices and read only its surroundings in the others
        (:mod:`cardioseg.inference.window`), if the plan says that its network may be given less
        than a slice: with `sax` about 0.74 of the pixels.
    threads
        How many the engine was given; None if it may use all cores.
    """

    model: Model
    engine: Engine
    plane: Plane | None = None
    mirrors: bool = False
    largest_component: bool | None = None
    locate: bool = True
    threads: int | None = None

    def for_two(self) -> Predictor | None:
        """The same for two callers at a time, with half of the threads for each; same answers.

        A volume also costs steps of one thread, before, between and after the network's. Two at a
        time fill them. None where it is no use: threads were counted out, there is one core, or the
        engine answers one caller at a time.
        """
        half = half_of_cores()
        if self.threads is not None or half is None or self.engine.name not in SHARED:
            return None
        return replace(self, engine=open_engine(self.model, self.engine.name, half), threads=half)

    @property
    def used_plane(self) -> Plane:
        """The plane that is read: the one asked for, else the plan's."""
        return self.plane or self.model.plan.plane

    @property
    def keeps_largest(self) -> bool:
        """Whether only the largest piece of each structure is kept."""
        chosen = self.largest_component
        return self.model.plan.largest_component if chosen is None else chosen

    @property
    def is_as_planned(self) -> bool:
        """Whether the answer is made as the plan says: errors are measured on such answers."""
        plan = self.model.plan
        as_it_says = (self.used_plane, self.keeps_largest) == (plan.plane, plan.largest_component)
        return as_it_says and not self.mirrors

    @property
    def smallest_window(self) -> tuple[int, int] | None:
        """The least of a slice that may be read, in rows and columns; None reads whole slices."""
        return self.model.plan.smallest_window if self.locate else None

    @property
    def scheme(self) -> LabelScheme:
        """The label scheme of the answer."""
        return self.model.plan.label_scheme

    @property
    def settings(self) -> dict[str, str | bool]:
        """What decides the answer, as run.json tells it."""
        return {
            "model": self.model.name,
            "model_id": self.model.id,
            "plan_sha256": self.model.plan.digest,
            "engine": self.engine.name,
            "plane": self.used_plane,
            "mirrors": self.mirrors,
            "largest_component": self.keeps_largest,
            "located": self.smallest_window is not None,
        }

    @property
    def _apart(self) -> tuple[str, ...]:
        """Structures that keep every piece in the heart: those of a stack in its own plane."""
        return self.scheme.apart if self.used_plane == "native" else ()

    def predict(self, volume: Volume) -> Prediction:
        """Segment one volume.

        Raises
        ------
        GeometryError
            If the plan asks for the native plane and the volume has none.

        Warns
        -----
        PlaneWarning
            If orthogonal planes are read and the volume is very anisotropic.
        """
        started = time.perf_counter()
        return self._prediction(self._labels(volume), started)

    def predict_with_scores(self, volume: Volume) -> tuple[Prediction, Float32Array]:
        """What :meth:`predict` and :meth:`predict_scores` answer, in one pass of the network."""
        started = time.perf_counter()
        scores = self.predict_scores(volume)
        labels = most_likely(scores, volume.geometry, self.scheme)
        return self._prediction(labels, started), scores

    def predict_scores(self, volume: Volume) -> Float32Array:
        """Probabilities (classes, I, J, K) on the input's grid, background first.

        Outside the network's field of view the background has probability 1. Of orthogonal planes
        this is the mean over the three; one array of scores is held, whatever their number.
        """
        planes = single_planes(self.used_plane)
        if len(planes) > 1:
            _tell_if_anisotropic(volume.geometry)
        total = np.zeros((self.scheme.class_count, *volume.geometry.shape), np.float32)
        for plane in planes:
            preparation = Preparation(volume.geometry, self.model.plan, plane)
            for first, scores in self._batches(preparation, volume):
                preparation.add_scores(scores, first, total)
        total /= len(planes)
        return total

    def _prediction(self, labels: LabelMap, started: float) -> Prediction:
        found = int(np.count_nonzero(labels.array))
        if self.keeps_largest:
            labels = keep_one_heart(labels, self._apart)
        return Prediction(labels, self._provenance(time.perf_counter() - started), found)

    def _labels(self, volume: Volume) -> LabelMap:
        """The most likely labels; scores on the grid are held of several planes, where small."""
        planes, grid = single_planes(self.used_plane), volume.geometry
        if len(planes) > 1 and scores_bytes(self.scheme, grid) <= LARGEST_SCORES_BYTES:
            return most_likely(self.predict_scores(volume), grid, self.scheme)
        slices = (
            (preparation, (scores for _, scores in self._batches(preparation, volume)))
            for preparation in (Preparation(grid, self.model.plan, plane) for plane in planes)
        )
        if len(planes) == 1:
            preparation, batches = next(slices)
            return preparation.restore_labels(batches, self.scheme)
        _tell_if_anisotropic(grid)
        return labels_of_planes(slices, len(planes), grid, self.scheme)

    def _batches(
        self, preparation: Preparation, volume: Volume
    ) -> Iterator[tuple[int, Float32Array]]:
        """First slice and scores (slices, classes, rows, columns) of one batch after another."""
        engine = Mirrored(self.engine) if self.mirrors else self.engine
        stride = self.model.plan.network.stride
        slices = preparation.slices(volume)
        return scores_of(engine, slices, stride, self.smallest_window, self.keeps_largest)

    def _provenance(self, seconds: float) -> Provenance:
        return Provenance(
            model=self.model.name,
            model_id=self.model.id,
            engine=self.engine.name,
            plane=self.used_plane,
            mirrors=self.mirrors,
            largest_component=self.keeps_largest,
            seconds=seconds,
            located=self.smallest_window is not None,
        )


def most_likely(scores: Float32Array, geometry: Geometry, scheme: LabelScheme) -> LabelMap:
    """The class with the highest of the scores (classes, I, J, K); ties go to the lower value."""
    labels = np.empty(geometry.shape, np.uint8)
    # Slab by slab: the largest's index takes eight bytes a voxel before it is one.
    for index in range(geometry.shape[0]):
        labels[index] = scores[:, index].argmax(axis=0)
    return LabelMap(labels, geometry, scheme)


def _tell_if_anisotropic(geometry: Geometry) -> None:
    ratio = max(geometry.spacing) / min(geometry.spacing)
    if ratio > ANISOTROPIC:
        warnings.warn(
            f"{geometry.describe()}: voxels are {ratio:.1f} times longer than wide, so slices "
            "across the stack are interpolated and poor; the model averages orthogonal planes: "
            "name the stack's own (--plane native), or use a model for stacks",
            PlaneWarning,
            stacklevel=3,
        )


def load_model(source: str | Path, engine: str = "auto", threads: int | None = None) -> Predictor:
    """Open a model and an engine that runs it.

    Parameters
    ----------
    source
        Name of an installed model, such as `sax`, or a model folder: `./sax` or a `Path`, where a
        model of its name is installed.
    engine
        `auto`, `onnx`, `openvino` or `torch`.
    threads
        How many threads the engine may use; None takes all usable cores.

    Raises
    ------
    ModelError
        If the model does not exist or is damaged.
    MissingExtraError
        If the engine is not installed.
    """
    model = open_model(source)
    return Predictor(model, open_engine(model, engine, threads), threads=threads)
