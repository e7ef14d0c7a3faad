"""What every way to segment a volume offers, learnt or classical."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import Volume
from cardioseg.inference.predictor import Prediction


class Segmenter(Protocol):
    """A volume in, labels on its own grid out."""

    @property
    def scheme(self) -> LabelScheme:
        """The label scheme of the answer."""
        ...

    @property
    def settings(self) -> Mapping[str, str | bool]:
        """What decides the answer, as run.json tells it."""
        ...

    def predict(self, volume: Volume) -> Prediction:
        """Segment one volume."""
        ...
