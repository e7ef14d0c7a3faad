"""The heart's function from the label maps of a cine: phases, volumes, ejection, mass, wall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cardioseg.core.geometry import require_same_grid
from cardioseg.core.measurement import Measurement
from cardioseg.core.scan import Body
from cardioseg.core.volume import LabelMap
from cardioseg.errors import FormatError, LabelError
from cardioseg.evaluation.body_size import Comparison, body_surface_m2, compare_with_healthy
from cardioseg.evaluation.cycle import (
    Phases,
    Rates,
    beat_ms,
    beats_per_min,
    find_phases,
    peak_rates,
)
from cardioseg.evaluation.function_values import (
    Beat,
    cavity_measurements,
    indexed,
    mass_measurements,
    region_volumes,
)
from cardioseg.evaluation.measured_errors import MeasuredErrors
from cardioseg.evaluation.volumetry import (
    blood_pool,
    left_ventricle,
    myocardium,
    right_ventricle,
)
from cardioseg.evaluation.wall import NO_WALL, WallThickness, thickening, wall_thickness

BLOOD_POOL_NOTE = (
    "of all blood that is labelled together, not of a ventricle: both ventricles, and whatever "
    "atria and vessels the label map holds"
)


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
    """

    phases: tuple[int, int] | None = None
    heart_rate_bpm: float | None = None
    errors: MeasuredErrors | None = None
    orientation_known: bool = True


@dataclass(frozen=True, eq=False)
class HeartFunction:
    """What a clinic reads off one cine.

    Parameters
    ----------
    times_ms
        Time of each frame; empty where unknown.
    volumes_ml
        Volume curve of each structure, one value a frame.
    ed, es
        Frames of end diastole and end systole, from 0; None where they cannot be told.
    measurements
        Volumes, ejection, mass, rates, regions, indices and wall thickness; what is undefined is
        there too, with value None and the reason.
    comparisons
        Those beside the range of healthy adults.
    wall_ed, wall_es
        Wall thickness by AHA segment.
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
    notes: tuple[str, ...] = field(default=())

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
    _require_one_cine(labels, times_ms)
    curves = {
        s.name: tuple(each.volume_ml(s.name) for each in labels)
        for s in labels[0].scheme.structures
    }
    phases = _phases(labels, curves, options)
    surface, no_surface = body_surface_m2(body)
    beat, notes = _beat(times_ms, options)
    values = _values(labels, curves, phases, (times_ms, beat))
    if options.errors is not None:
        values = options.errors.with_intervals(values)
    if surface is None:
        notes = (*notes, f"no values by body surface: {no_surface}")
    else:
        values = (*values, *indexed(values, surface))
    walls = [_wall(labels, frame, options.orientation_known) for frame in (phases.ed, phases.es)]
    comparisons, not_compared = compare_with_healthy(values, body)
    return HeartFunction(
        times_ms=tuple(map(float, times_ms)),
        volumes_ml=curves,
        ed=phases.ed,
        es=phases.es,
        measurements=(*values, *_wall_values(walls)),
        comparisons=comparisons,
        wall_ed=walls[0],
        wall_es=walls[1],
        notes=tuple(
            dict.fromkeys(
                note
                for note in (
                    *phases.notes,
                    *notes,
                    *walls[0].notes,
                    *walls[1].notes,
                    not_compared,
                )
                if note
            )
        ),
    )


def _require_one_cine(labels: Sequence[LabelMap], times_ms: Sequence[float]) -> None:
    if not labels:
        raise FormatError("no label map: heart function needs one frame or more")
    if len(times_ms) and len(times_ms) != len(labels):
        raise FormatError(f"{len(times_ms)} times for {len(labels)} label maps")
    for number, each in enumerate(labels[1:], start=2):
        if each.scheme != labels[0].scheme:
            raise LabelError(
                f"frame {number} uses scheme {each.scheme.name}, frame 1 {labels[0].scheme.name}"
            )
        require_same_grid(each.geometry, labels[0].geometry, f"frame {number} and frame 1")


def _phases(
    labels: Sequence[LabelMap], curves: Mapping[str, tuple[float, ...]], options: FunctionOptions
) -> Phases:
    """Named phases, else those of the left ventricle, the blood pool or the right ventricle."""
    if options.phases is not None:
        for frame in options.phases:
            if frame not in range(len(labels)):
                raise FormatError(
                    f"phase frame {frame} is not one of the {len(labels)} frames (0 to "
                    f"{len(labels) - 1})"
                )
        return Phases(*options.phases)
    scheme = labels[0].scheme
    names = (left_ventricle(scheme), blood_pool(scheme), right_ventricle(scheme))
    present = [name for name in names if name is not None and any(curves[name])]
    if not present:
        return Phases(None, None, ("no ventricle and no blood pool in any frame",))
    found = find_phases(curves[present[0]])
    if present[0] == names[0]:
        return found
    return Phases(found.ed, found.es, (*found.notes, f"phases by the volume of {present[0]}"))


def _beat(
    times_ms: Sequence[float], options: FunctionOptions
) -> tuple[Beat | None, tuple[str, ...]]:
    if options.heart_rate_bpm is not None:
        return Beat(options.heart_rate_bpm, "heart rate given"), ()
    length = beat_ms(times_ms)
    if length is None:
        return None, ("no heart rate: no cardiac output and no rates",)
    told = "beat taken from the frames' times, which are supposed to span it"
    return Beat(beats_per_min(length), told), (told,)


def _values(
    labels: Sequence[LabelMap],
    curves: Mapping[str, tuple[float, ...]],
    phases: Phases,
    timing: tuple[Sequence[float], Beat | None],
) -> tuple[Measurement, ...]:
    scheme = labels[0].scheme
    ventricles = (left_ventricle(scheme), right_ventricle(scheme))
    cavities = [(name, "") for name in ventricles if name is not None]
    blood = blood_pool(scheme)
    if blood is not None:
        cavities = [*cavities, (blood, BLOOD_POOL_NOTE)]
    values: list[Measurement] = []
    for name, note in cavities:
        rates = _rates(curves[name], timing)
        values += cavity_measurements(name, curves[name], phases, (timing[1], rates), note)
    muscle = myocardium(scheme)
    if muscle is not None:
        values += mass_measurements(muscle, curves[muscle], phases)
    for phase, frame in (("ED", phases.ed), ("ES", phases.es)):
        if frame is not None:
            names = [s.name for s in scheme.structures]
            values += region_volumes(labels[frame], names, phase)
    return tuple(values)


def _rates(curve: Sequence[float], timing: tuple[Sequence[float], Beat | None]) -> Rates | None:
    times, beat = timing
    if beat is None or not len(times) or not any(curve):
        return None
    return peak_rates(curve, times, beat.length_ms)


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
