"""From a volume to labels on its own grid."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.engines.engine import Engine
from cardioseg.inference.ensemble import Mirrored
from cardioseg.model import Model, open_engine, open_model
from cardioseg.ops.components import keep_largest
from cardioseg.prepare.plan import Plane
from cardioseg.prepare.preparation import Preparation

Float32Array = NDArray[np.float32]

BATCH_SIZE = 8


@dataclass(frozen=True)
class Provenance:
    """What made a prediction: model, engine, the options that change the answer, the time."""

    model: str
    model_id: str
    engine: str
    mirrors: bool
    largest_component: bool
    seconds: float


@dataclass(frozen=True, eq=False)
class Prediction:
    """Labels on the input's own grid, and what made them."""

    labels: LabelMap
    provenance: Provenance


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
        Slices are taken in this plane; None takes the model's.
    mirrors
        Average the scores of the four mirrored slices: four times the work.
    largest_component
        Keep only the largest connected piece of each structure; None does what the plan says.
    """

    model: Model
    engine: Engine
    plane: Plane | None = None
    mirrors: bool = False
    largest_component: bool | None = None

    @property
    def keeps_largest(self) -> bool:
        """Whether only the largest piece of each structure is kept."""
        chosen = self.largest_component
        return self.model.plan.largest_component if chosen is None else chosen

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
            "engine": self.engine.name,
            "plane": self.plane or self.model.plan.plane,
            "mirrors": self.mirrors,
            "largest_component": self.keeps_largest,
        }

    def predict(self, volume: Volume) -> Prediction:
        """Segment one volume.

        Raises
        ------
        GeometryError
            If the plan asks for the native plane and the volume has none.
        """
        started = time.perf_counter()
        preparation = Preparation(volume.geometry, self.model.plan, self.plane)
        scores = self._prepared_scores(preparation, volume)
        labels = preparation.restore_labels(scores, self.scheme)
        if self.keeps_largest:
            for structure in self.scheme.structures:
                labels = keep_largest(labels, structure.name)
        seconds = time.perf_counter() - started
        return Prediction(labels, self._provenance(seconds))

    def predict_scores(self, volume: Volume) -> Float32Array:
        """Probabilities (classes, I, J, K) on the input's grid, background first.

        Outside the network's field of view the background has probability 1.
        """
        preparation = Preparation(volume.geometry, self.model.plan, self.plane)
        return preparation.restore_scores(self._prepared_scores(preparation, volume))

    def _prepared_scores(self, preparation: Preparation, volume: Volume) -> Float32Array:
        slices = preparation.slices(volume)[:, None]
        engine = Mirrored(self.engine) if self.mirrors else self.engine
        starts = range(0, len(slices), BATCH_SIZE)
        return np.concatenate([engine(slices[i : i + BATCH_SIZE]) for i in starts])

    def _provenance(self, seconds: float) -> Provenance:
        return Provenance(
            model=self.model.name,
            model_id=self.model.id,
            engine=self.engine.name,
            mirrors=self.mirrors,
            largest_component=self.keeps_largest,
            seconds=seconds,
        )


def load_model(source: str | Path, engine: str = "auto") -> Predictor:
    """Open a model and an engine that runs it.

    Parameters
    ----------
    source
        Name of an installed model, such as `sax`, or a model folder.
    engine
        `auto`, `onnx`, `openvino` or `torch`.

    Raises
    ------
    ModelError
        If the model does not exist or is damaged.
    MissingExtraError
        If the engine is not installed.
    """
    model = open_model(source)
    return Predictor(model, open_engine(model, engine))
