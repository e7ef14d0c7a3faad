"""Which model segments, and how: a value that can be sent to where it is opened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cardioseg.baselines.names import is_baseline
from cardioseg.errors import ModelError
from cardioseg.inference.predictor import Predictor, load_model
from cardioseg.inference.segmenter import Segmenter
from cardioseg.model import SHARED, engine_named
from cardioseg.prepare.plan import plane_named

if TYPE_CHECKING:
    from cardioseg.baselines.baseline import Baseline


@dataclass(frozen=True)
class Choice:
    """A model and the options that change its answer, as a command names them.

    Parameters
    ----------
    model
        Installed model, model folder, or classical baseline.
    engine
        `auto`, `onnx`, `openvino` or `torch`.
    plane
        `native`, `axial`, `sagittal`, `coronal` or `orthogonal`; empty takes the model's.
    mirrors
        Average the scores of four mirrorings.
    largest_component
        Keep one heart and one piece of each structure; None does what the plan says.
    locate
        Find the heart in a few slices and read only its surroundings in the others; a baseline
        has no use for it.

    Examples
    --------
    >>> Choice("otsu").opened().scheme.name
    'acdc'
    """

    model: str = "sax"
    engine: str = "auto"
    plane: str = ""
    mirrors: bool = False
    largest_component: bool | None = None
    locate: bool = True

    @property
    def is_shared(self) -> bool:
        """Whether several threads may ask it at a time; see :data:`cardioseg.model.SHARED`.

        Raises
        ------
        ModelError
            If there is no such engine.
        """
        return not is_baseline(self.model) and engine_named(self.engine) in SHARED

    def opened(self, threads: int | None = None) -> Segmenter:
        """Open the model or the baseline.

        Parameters
        ----------
        threads
            How many threads the network may use; None takes all usable cores.

        Raises
        ------
        ModelError
            If it does not exist, is damaged, or is a baseline and options of networks are set.
        PlanError
            If there is no such plane.
        MissingExtraError
            If the engine is not installed.
        """
        return self._baseline() if is_baseline(self.model) else self.network(threads)

    def network(self, threads: int | None = None) -> Predictor:
        """Open it as a network; errors are those of :meth:`opened`."""
        return replace(
            load_model(self.model, self.engine, threads),
            plane=plane_named(self.plane) if self.plane else None,
            mirrors=self.mirrors,
            largest_component=self.largest_component,
            locate=self.locate,
        )

    def _baseline(self) -> Baseline:
        from cardioseg.baselines.folder import open_baseline

        if self.engine != "auto" or self.mirrors or self.largest_component:
            raise ModelError(
                f"{self.model}: --engine, --mirrors and --largest-component are for networks; "
                "leave them out"
            )
        opened = open_baseline(self.model)
        return opened.in_plane(plane_named(self.plane)) if self.plane else opened
