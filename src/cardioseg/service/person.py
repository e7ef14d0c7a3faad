"""A person's corrected labels in the place of a model's, so that every output is made from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import FormatError
from cardioseg.inference.predictor import Prediction, Provenance
from cardioseg.inference.segmenter import Segmenter
from cardioseg.io.nifti import read_label_frames

ENGINE = "person"


def corrected_id(model_id: str) -> str:
    """The id of what a person made of a model's labels.

    Examples
    --------
    >>> corrected_id("0123456789abcdef")
    '0123456789abcdef-corrected'
    """
    return f"{model_id}-corrected"


@dataclass(frozen=True, eq=False)
class PersonsLabels:
    """Answers with a person's labels, frame after frame.

    Parameters
    ----------
    model
        What made the labels that the person corrected.
    path
        The corrected label map of all frames, on the scan's grid.
    """

    model: Segmenter
    path: Path
    _rest: list[Iterator[LabelMap]] = field(default_factory=list, repr=False)

    @property
    def scheme(self) -> LabelScheme:
        """The model's scheme."""
        return self.model.scheme

    @property
    def settings(self) -> Mapping[str, str | bool]:
        """The model's, with a person for the engine."""
        return {**self.model.settings, "engine": ENGINE}

    def predict(self, volume: Volume) -> Prediction:
        """The next frame's labels.

        Raises
        ------
        FormatError
            If there are fewer than the scan has frames.
        """
        if not self._rest:
            self._rest.append(iter(read_label_frames(self.path, self.scheme)))
        labels = next(self._rest[0], None)
        if labels is None:
            raise FormatError("the corrected labels have fewer frames than the scan")
        made = Provenance(
            model=f"{self.model.settings['model']}, corrected by a person",
            # Not the model's own: what was measured of its errors does not hold for a person's.
            model_id=corrected_id(str(self.model.settings["model_id"])),
            engine=ENGINE,
            plane="native",
            mirrors=False,
            largest_component=False,
            seconds=0.0,
        )
        return Prediction(LabelMap(labels.array, volume.geometry, self.scheme), made)
