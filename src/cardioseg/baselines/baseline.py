"""A classical method with its heart region behind the same `predict` as a network."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from pydantic import ValidationError, model_validator

from cardioseg.baselines import active_contour, otsu, whole_heart
from cardioseg.baselines.appearance import search
from cardioseg.baselines.appearance.search import ThirdModels
from cardioseg.baselines.appearance.train import learn_thirds
from cardioseg.baselines.imaging import skimage
from cardioseg.baselines.region import HeartRegion, learn_region
from cardioseg.baselines.stack import Float32Array, LabelArray, RegionStack
from cardioseg.core.case import Case
from cardioseg.core.labels import ACDC, MYOCARDIUM_BLOOD, LabelScheme, scheme_named
from cardioseg.core.volume import Volume
from cardioseg.errors import ModelError, first_problem
from cardioseg.inference.predictor import Prediction, Provenance
from cardioseg.prepare.plan import FrozenModel, Plane, SinglePlane

Method = Literal["otsu", "active-contour", "appearance"]

ENGINE = "scikit-image"


class BaselinePlan(FrozenModel):
    """Everything that decides a baseline's answer but the appearance models.

    Parameters
    ----------
    method
        `otsu`, `active-contour` or `appearance`.
    scheme
        `acdc` for short-axis stacks, `myocardium_blood` for whole hearts.
    plane
        Plane of the slices.
    region
        Where the heart is looked for.
    subjects
        Training subjects that region and models were learnt from; 0 where nothing was fitted.
    data, data_license
        Where these came from.
    seed
        Of the displacements that teach an appearance model.
    """

    format_version: Literal[1] = 1
    method: Method
    scheme: Literal["acdc", "myocardium_blood"] = "acdc"
    plane: SinglePlane = "native"
    region: HeartRegion = HeartRegion()
    subjects: int = 0
    data: str = ""
    data_license: str = ""
    seed: int = 0

    @model_validator(mode="after")
    def _is_possible(self) -> BaselinePlan:
        if self.method == "appearance" and self.scheme != ACDC.name:
            raise ValueError(
                "an appearance model needs RV, myocardium and LV (scheme acdc); "
                "choose otsu or active-contour for whole hearts"
            )
        return self


@dataclass(frozen=True, eq=False)
class Baseline:
    """A classical method, ready to segment.

    Parameters
    ----------
    name
        Name that the user gave, or the folder's.
    id
        Hash of what decides the answer.
    plan
        Method, plane, scheme and region.
    models
        Appearance models of the thirds; None for the other methods.

    Examples
    --------
    >>> from cardioseg.phantom import phantom_case
    >>> case = phantom_case(0, 0)
    >>> baseline = Baseline("otsu", "0", BaselinePlan(method="otsu"))
    >>> labels = baseline.predict(case.image()).labels
    >>> labels.geometry is case.geometry, labels.volume_ml("LV cavity") > 50
    (True, True)
    """

    name: str
    id: str
    plan: BaselinePlan
    models: ThirdModels | None = None

    @property
    def scheme(self) -> LabelScheme:
        """The label scheme of the answer."""
        return scheme_named(self.plan.scheme)

    @property
    def settings(self) -> dict[str, str | bool]:
        """What decides the answer, as run.json tells it."""
        return {
            "model": self.name,
            "model_id": self.id,
            "engine": ENGINE,
            "plane": self.plan.plane,
            "mirrors": False,
            "largest_component": False,
        }

    def in_plane(self, plane: Plane) -> Baseline:
        """The same method in slices of another plane.

        Raises
        ------
        ModelError
            If its heart region was learnt in a plane of its own, or `orthogonal` is asked for.
        """
        if plane == self.plan.plane:
            return self
        if plane == "orthogonal":
            raise ModelError(f"{self.name}: a classical method reads one plane; name it")
        if self.plan.subjects:
            raise ModelError(
                f"{self.name}: its heart region was learnt in {self.plan.plane} slices; "
                f"fit it again with --plane {plane}"
            )
        return replace(self, plan=self.plan.model_copy(update={"plane": plane}))

    def predict(self, volume: Volume) -> Prediction:
        """Segment one volume; labels are on its own grid.

        Raises
        ------
        GeometryError
            If the native plane is asked for and the volume has none.
        MissingExtraError
            If scikit-image is not installed.
        """
        started = time.perf_counter()
        skimage()
        stack = RegionStack(volume.geometry, self.plan.plane, self.plan.region)
        labels = stack.restore(self._segment(stack.slices(volume), stack.expected), self.scheme)
        return Prediction(labels, self._provenance(time.perf_counter() - started))

    def _provenance(self, seconds: float) -> Provenance:
        return Provenance(
            model=self.name,
            model_id=self.id,
            engine=ENGINE,
            plane=self.plan.plane,
            mirrors=False,
            largest_component=False,
            seconds=seconds,
        )

    def _segment(self, slices: Float32Array, expected: tuple[float, float]) -> LabelArray:
        method, whole = self.plan.method, self.plan.scheme == MYOCARDIUM_BLOOD.name
        if method == "appearance":
            if self.models is None:
                raise ModelError(f"{self.name}: an appearance baseline without its models")
            return search.segment_short_axis(slices, expected, self.models)
        if whole and method == "otsu":
            return whole_heart.segment_by_otsu(slices)
        if whole:
            return whole_heart.segment_by_contours(slices)
        if method == "otsu":
            return otsu.segment_short_axis(slices, expected)
        return active_contour.segment_short_axis(slices, expected)


@dataclass(frozen=True, eq=False)
class Fitted:
    """What fitting gives: the plan, and for an appearance baseline its models."""

    plan: BaselinePlan
    models: ThirdModels | None = None


def fit_baseline(plan: BaselinePlan, cases: Sequence[Case]) -> Fitted:
    """Learn the heart region, and the appearance models if the method has any.

    Parameters
    ----------
    plan
        Method, scheme and plane; its region and count of subjects are replaced.
    cases
        Training cases with labels in the plan's scheme.

    Raises
    ------
    DatasetError
        If no case has labels, or an appearance model finds too few slices.
    GeometryError
        If the native plane is asked for and a case has none.
    MissingExtraError
        If scikit-image is not installed.
    """
    skimage()
    region = learn_region((case.labels() for case in cases), plan.plane)
    subjects = len({case.subject for case in cases})
    fitted = plan.model_copy(update={"region": region, "subjects": subjects})
    if plan.method != "appearance":
        return Fitted(fitted)
    rng = np.random.default_rng(plan.seed)
    return Fitted(fitted, learn_thirds((case.pair() for case in cases), plan.plane, region, rng))


def plan_from_json(text: bytes, source: str) -> BaselinePlan:
    """Read a plan; a ModelError names the key that is wrong."""
    try:
        return BaselinePlan.model_validate_json(text)
    except ValidationError as error:
        raise ModelError(f"{source}: not a valid baseline: {first_problem(error)}") from error
