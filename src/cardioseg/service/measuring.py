"""What label maps measure: volumes of every structure, and of a cine its function."""

from __future__ import annotations

from collections.abc import Sequence

from cardioseg.core.measurement import Measurement
from cardioseg.core.volume import LabelMap
from cardioseg.evaluation.clinical import MYOCARDIUM, VENTRICLES
from cardioseg.evaluation.volumetry import ejection_fraction_percent, myocardial_mass_g


def measure(frames: Sequence[LabelMap]) -> tuple[Measurement, ...]:
    """Measure a still volume or a cine.

    Parameters
    ----------
    frames
        One label map, or those of a cine in the order of time.

    Returns
    -------
    tuple of Measurement
        Of a still volume each structure's volume and the myocardium's mass. Of a cine each
        cavity's largest (`ED`) and smallest (`ES`) volume, stroke volume and ejection fraction,
        and the myocardium at the LV's largest volume.

    Examples
    --------
    >>> from cardioseg.phantom import phantom_case
    >>> diastole, systole = (phantom_case(0, 0, phase=p).labels() for p in ("ED", "ES"))
    >>> [m.quantity for m in measure([diastole, systole]) if m.structure == "LV cavity"]
    ['volume', 'volume', 'stroke volume', 'ejection fraction']
    """
    if len(frames) == 1:
        return tuple(_still(frames[0], ""))
    scheme = frames[0].scheme
    cavities = [s.name for s in scheme.structures if s.name in VENTRICLES]
    found = [each for name in cavities for each in _function(frames, name)]
    lead = next((name for name in VENTRICLES if name in cavities), scheme.structures[0].name)
    curve = [frame.volume_ml(lead) for frame in frames]
    others = _still(frames[curve.index(max(curve))], "ED")
    return (*found, *(each for each in others if each.structure not in cavities))


def _still(labels: LabelMap, phase: str) -> list[Measurement]:
    found = []
    for structure in labels.scheme.structures:
        volume = labels.volume_ml(structure.name)
        found.append(Measurement("volume", structure.name, volume, "ml", phase=phase))
        if structure.name == MYOCARDIUM:
            mass = myocardial_mass_g(volume)
            found.append(Measurement("mass", structure.name, mass, "g", phase=phase))
    return found


def _function(frames: Sequence[LabelMap], name: str) -> list[Measurement]:
    curve = [frame.volume_ml(name) for frame in frames]
    large, small = max(curve), min(curve)
    fraction = ejection_fraction_percent(large, small) if large > 0 else None
    note = "" if large > 0 else "the cavity is in no frame"
    return [
        Measurement("volume", name, large, "ml", phase="ED"),
        Measurement("volume", name, small, "ml", phase="ES"),
        Measurement("stroke volume", name, large - small, "ml"),
        Measurement("ejection fraction", name, fraction, "%", note=note),
    ]
