"""A plan: every choice that turns a volume into what the network sees, written down as JSON."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cardioseg.core.labels import LabelScheme, scheme_named
from cardioseg.errors import LabelError, PlanError, first_problem, version_problem

FORMAT_VERSION = 1

SinglePlane = Literal["native", "axial", "sagittal", "coronal"]
"""`native` is the plane perpendicular to the largest spacing: the plane a stack was acquired in; of
a single picture it is the picture's own."""

Plane = Literal["native", "axial", "sagittal", "coronal", "orthogonal"]
"""A single plane, or `orthogonal`: axial, coronal and sagittal slices, their scores averaged."""

ORTHOGONAL: tuple[SinglePlane, ...] = ("axial", "coronal", "sagittal")
"""The planes that `orthogonal` stands for."""

Convolution = Literal["conventional", "separable"]
Intensity = Literal["percentile", "zscore"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Side = Annotated[int, Field(ge=1, le=4096)]


def plane_named(name: str) -> Plane:
    """The plane of that name; a PlanError lists the names there are."""
    for plane in get_args(Plane):
        if plane == name:
            return cast("Plane", plane)
    raise PlanError(f"unknown plane {name!r}; choose one of {', '.join(get_args(Plane))}")


def single_plane_named(name: str) -> SinglePlane:
    """The single plane of that name; a PlanError lists the names there are."""
    for plane in get_args(SinglePlane):
        if plane == name:
            return cast("SinglePlane", plane)
    raise PlanError(f"not one plane: {name!r}; choose one of {', '.join(get_args(SinglePlane))}")


def single_planes(plane: Plane) -> tuple[SinglePlane, ...]:
    """The single planes that a plane stands for.

    Examples
    --------
    >>> single_planes("orthogonal")
    ('axial', 'coronal', 'sagittal')
    >>> single_planes("native")
    ('native',)
    """
    return ORTHOGONAL if plane == "orthogonal" else (plane,)


class FrozenModel(BaseModel):
    """Base of every typed configuration: immutable, and a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkPlan(FrozenModel):
    """A U-Net as values.

    Parameters
    ----------
    convolution
        `conventional` (U-Net 1) or `separable` (U-Net 2).
    widths
        Channels of each level, from the input's resolution down.
    classes
        Output channels, background included.
    dropout
        Rate of spatial dropout inside each level, 0 to below 1.
    input_channels
        Channels of the input; 1 for an MR slice.
    """

    convolution: Convolution = "separable"
    widths: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = (32, 64, 128, 256, 512, 1024)
    classes: Annotated[int, Field(ge=2, le=256)] = 3
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    input_channels: Annotated[int, Field(ge=1, le=64)] = 1

    @model_validator(mode="after")
    def _has_levels(self) -> NetworkPlan:
        if not 1 <= len(self.widths) <= 10:
            raise ValueError(f"widths must name 1 to 10 levels, not {len(self.widths)}")
        return self

    @property
    def stride(self) -> int:
        """Height and width of an input must be multiples of this, in pixels."""
        return 1 << (len(self.widths) - 1)


class Plan(FrozenModel):
    """How a volume becomes prepared slices, and which network reads them.

    Parameters
    ----------
    plane
        The plane of the slices, by anatomy; never an array index. `orthogonal`: one network reads
        the slices of the three anatomical planes, and the mean of their restored scores decides
        (Wolterink et al. 2017, DOI 10.1007/978-3-319-52280-7_9).
    spacing_mm
        In-plane spacing of a prepared slice, in millimetres.
    size
        Rows and columns of a prepared slice, in pixels.
    whole_slices
        Predict on whole slices: where a slice is larger than `size`, rows and columns grow to the
        next multiple of the network's stride, so that no part of it stays unseen.
    smallest_window
        Rows and columns of the smallest part of a slice that prediction may give the network to
        save time: of the patches that it was trained on. None where it was trained on whole slices:
        on less it answers worse.
    intensity
        `percentile`: the volume's 1st to 99th percentiles become 0 to 1, clipped;
        `zscore`: zero mean and unit variance over the volume.
    network
        The network that reads the slices.
    scheme
        Name of the label scheme of the answer.
    largest_component
        Keep only the largest connected piece of all structures together, then the largest of each,
        but in the native plane every piece of those that lie apart there (the blood pool of two
        ventricles); set it where validation says so.
    temperature
        The network's logits are divided by it before softmax, inside the exported network; above 1
        it makes an over-confident network humbler. Training fits it on the validation part.
    """

    format_version: Literal[1] = 1
    plane: Plane = "native"
    spacing_mm: Positive
    size: tuple[Side, Side]
    whole_slices: bool = False
    smallest_window: tuple[Side, Side] | None = None
    intensity: Intensity = "percentile"
    network: NetworkPlan
    scheme: str
    largest_component: bool = False
    temperature: Positive = 1.0

    @model_validator(mode="after")
    def _is_consistent(self) -> Plan:
        try:
            classes = self.label_scheme.class_count
        except LabelError as error:
            raise ValueError(str(error)) from error
        if classes != self.network.classes:
            raise ValueError(
                f"scheme {self.scheme} has {classes} classes, the network {self.network.classes}"
            )
        stride = self.network.stride
        if any(side % stride for side in self.size):
            raise ValueError(f"size {self.size} must be multiples of {stride} for this network")
        return self

    @property
    def planes(self) -> tuple[SinglePlane, ...]:
        """The single planes whose slices the network reads."""
        return single_planes(self.plane)

    @property
    def label_scheme(self) -> LabelScheme:
        """The label scheme of the answer."""
        return scheme_named(self.scheme)

    def to_json(self) -> str:
        """The plan as indented JSON, the inverse of :meth:`from_json`."""
        return self.model_dump_json(indent=2) + "\n"

    @property
    def digest(self) -> str:
        """SHA-256 of the plan with every key written out."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str | bytes, source: str | Path = "plan.json") -> Plan:
        """Read a plan; keys that one of an earlier program lacks take their defaults.

        Parameters
        ----------
        text
            JSON text as :meth:`to_json` writes it.
        source
            Where the text came from, for the error message.

        Raises
        ------
        PlanError
            If the text is not JSON, is of another format version, a key is unknown or missing, or
            a value is out of range.

        Examples
        --------
        >>> network = NetworkPlan(widths=(4, 8), classes=3)
        >>> plan = Plan(spacing_mm=1.5, size=(128, 128), network=network, scheme="myocardium_blood")
        >>> Plan.from_json(plan.to_json()) == plan
        True
        """
        version = _format_version(text)
        if version != FORMAT_VERSION:
            raise PlanError(f"{source}: {version_problem(version, FORMAT_VERSION)}")
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise PlanError(f"{source}: not a valid plan: {first_problem(error)}") from error


def _format_version(text: str | bytes) -> object:
    """The version that a document names; ours where it names none, or is no document at all."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return FORMAT_VERSION
    if not isinstance(content, dict):
        return FORMAT_VERSION
    return content.get("format_version", FORMAT_VERSION)
