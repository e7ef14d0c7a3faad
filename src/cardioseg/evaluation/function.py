"""The heart's function from the label maps of a cine: phases, volumes, ejection, mass, wall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cardioseg.core.geometry import require_same_grid
from cardioseg.core.labels import LabelScheme
from cardioseg.core.measurement import Measurement
from cardioseg.core.scan import Body
from cardioseg.core.volume import LabelMap
from cardioseg.errors import FormatError, LabelError
from cardioseg.evaluation.body_size import Comparison, body_surface_m2, compare_with_healthy
from cardioseg.evaluation.cycle import Phases, find_phases
from cardioseg.evaluation.function_structures import structure_measurements
from cardioseg.evaluation.function_timing import beat_of
from cardioseg.evaluation.function_values import indexed
from cardioseg.evaluation.measured_errors import MeasuredErrors
from cardioseg.evaluation.volumetry import (
    ONE_SLICE,
    blood_pool,
    is_one_slice,
    left_ventricle,
    right_ventricle,
)
from cardioseg.evaluation.wall import NO_WALL, WallThickness, thickening, wall_thickness


@dataclass(frozen=True)
class FunctionOptions:
    """What is known besides the label maps.

    Parameters
    ----------
    phases
        Frames of end diastole and end systole where a person or the data set named them; None
        finds them in the volume curve.
    heart_rate_bpm
        Beats per minute; None takes the beat from the times of ten frames or more.
    errors
        The model's measured errors, for intervals; None leaves the intervals out.
    orientation_known
        Whether the grid's directions are the patient's.
    frame_numbers
        Number of each frame as files or a person tell it; empty counts from 1.
    """

    phases: tuple[int, int] | None = None
    heart_rate_bpm: float | None = None
    errors: MeasuredErrors | None = None
    orientation_known: bool = True
    frame_numbers: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class HeartFunction:
    """What a clinic reads off one cine.

    Parameters
    ----------
    times_ms
        Time of each frame; empty where unknown.
    volumes_ml
        Volume curve of each structure, one value a frame; empty on a grid of one slice.
    ed, es
        Frames of end diastole and end systole, from 0; None where they cannot be told.
    measurements
        Volumes, ejection, mass, rates, regions, indices and wall thickness; what is undefined is
        there too, with value None and the reason.
    comparisons
        Those beside the range of healthy adults.
    wall_ed, wall_es
        Wall thickness by AHA segment.
    frame_numbers
        Number of each frame as a person knows it.
    notes
        What to know about all of it.
    """

    times_ms: tuple[float, ...]
    volumes_ml: Mapping[str, tuple[float, ...]]
    ed: int | None
    es: int | None
    measurements: tuple[Measurement, ...]
    comparisons: tuple[Comparison, ...]
    wall_ed: WallThickness
    wall_es: WallThickness
    frame_numbers: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def number(self, frame: int | None) -> int | None:
        """The number of a frame as a person knows it; None where there is none."""
        return None if frame is None else self.frame_numbers[frame]

    def measurement(self, quantity: str, structure: str, phase: str = "") -> Measurement | None:
        """The measurement of that name; None if it was not made."""
        for each in self.measurements:
            if (each.quantity, each.structure, each.phase) == (quantity, structure, phase):
                return each
        return None


def heart_function(
    labels: Sequence[LabelMap],
    times_ms: Sequence[float] = (),
    body: Body | None = None,
    options: FunctionOptions | None = None,
) -> HeartFunction:
    """Volumes over the cycle and what follows from them.

    Parameters
    ----------
    labels
        One label map a frame, in the order of time, on one grid and in one scheme. One frame
        gives volumes without function; two are taken for end diastole and end systole.
    times_ms
        Time of each frame in ms; empty where unknown.
    body
        Height and weight, for values by body surface, and sex, for ranges.
    options
        What else is known.

    Raises
    ------
    FormatError
        If there is no frame, times and frames differ in number, or the phases named are not
        frames.
    LabelError
        If the frames use different schemes.
    GeometryError
        If they lie on different grids.

    Examples
    --------
    >>> import numpy as np
    >>> from cardioseg.core.geometry import Geometry
    >>> from cardioseg.core.labels import ACDC
    >>> grid = Geometry((20, 20, 5), np.diag([2.0, 2.0, 10.0, 1.0]))
    >>> def beat(side: int) -> LabelMap:
    ...     array = np.zeros(grid.shape, np.uint8)
    ...     array[:side, :side] = 3
    ...     return LabelMap(array, grid, ACDC)
    >>> function = heart_function([beat(20), beat(10)])
    >>> function.measurement("ejection fraction", "LV cavity").told
    '75.0 %'
    """
    options, body = options or FunctionOptions(), body or Body()
    numbers = options.frame_numbers or tuple(range(1, len(labels) + 1))
    _require_one_cine(labels, times_ms, numbers)
    curves = {
        s.name: tuple(each.volume_ml(s.name) for each in labels)
        for s in labels[0].scheme.structures
    }
    phases = _phases(curves, labels[0].scheme, options.phases, numbers)
    beat, notes = beat_of(times_ms, options.heart_rate_bpm)
    values = structure_measurements(labels, curves, phases, (times_ms, beat))
    if is_one_slice(labels[0].geometry):
        curves, notes = {}, (ONE_SLICE, *notes)
    if options.errors is not None:
        values = options.errors.with_intervals(values)
    surface, no_surface = body_surface_m2(body)
    if surface is None:
        notes = (*notes, f"no values by body surface: {no_surface}")
    else:
        values = (*values, *indexed(values, surface))
    walls = [_wall(labels, frame, options.orientation_known) for frame in (phases.ed, phases.es)]
    comparisons, not_compared = compare_with_healthy(values, body)
    told = (*phases.notes, *notes, *walls[0].notes, *walls[1].notes, not_compared)
    return HeartFunction(
        times_ms=tuple(map(float, times_ms)),
        volumes_ml=curves,
        ed=phases.ed,
        es=phases.es,
        measurements=(*values, *_wall_values(walls)),
        comparisons=comparisons,
        wall_ed=walls[0],
        wall_es=walls[1],
        frame_numbers=numbers,
        notes=tuple(dict.fromkeys(note for note in told if note)),
    )


def _require_one_cine(
    labels: Sequence[LabelMap], times_ms: Sequence[float], numbers: Sequence[int]
) -> None:
    if not labels:
        raise FormatError("no label map: heart function needs one frame or more")
    if len(times_ms) and len(times_ms) != len(labels):
        raise FormatError(f"{len(times_ms)} times for {len(labels)} label maps")
    if len(numbers) != len(labels):
        raise FormatError(f"{len(numbers)} frame numbers for {len(labels)} label maps")
    for number, each in zip(numbers[1:], labels[1:], strict=True):
        if each.scheme != labels[0].scheme:
            raise LabelError(
                f"frame {number} uses scheme {each.scheme.name}, frame {numbers[0]} "
                f"{labels[0].scheme.name}"
            )
        names = f"frame {number} and frame {numbers[0]}"
        require_same_grid(each.geometry, labels[0].geometry, names)


def _phases(
    curves: Mapping[str, tuple[float, ...]],
    scheme: LabelScheme,
    known: tuple[int, int] | None,
    numbers: Sequence[int],
) -> Phases:
    """Known phases, else those of the left ventricle, the blood pool or the right ventricle."""
    for frame in known or ():
        if frame not in range(len(numbers)):
            raise FormatError(
                f"phase frame {frame} is not one of the {len(numbers)} frames (0 to "
                f"{len(numbers) - 1})"
            )
    if known is not None:
        return Phases(*known)
    names = (left_ventricle(scheme), blood_pool(scheme), right_ventricle(scheme))
    present = [name for name in names if name is not None and any(curves[name])]
    if not present:
        return Phases(None, None, ("no ventricle and no blood pool in any frame",))
    found = find_phases(curves[present[0]], numbers)
    if present[0] == names[0]:
        return found
    return Phases(found.ed, found.es, (*found.notes, f"phases by the volume of {present[0]}"))


def _wall(labels: Sequence[LabelMap], frame: int | None, known: bool) -> WallThickness:
    if frame is None:
        return NO_WALL
    return wall_thickness(labels[frame], orientation_known=known)


def _wall_values(walls: Sequence[WallThickness]) -> tuple[Measurement, ...]:
    diastole, systole = walls
    return (
        *diastole.measurements("ED"),
        *systole.measurements("ES"),
        *thickening(diastole, systole),
    )
