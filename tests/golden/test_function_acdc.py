"""Function of real hearts: what is known of ACDC's groups comes out of its reference masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cardioseg.datasets import read_dataset
from cardioseg.evaluation.cycle import find_phases
from cardioseg.evaluation.volumetry import ejection_fraction_percent, myocardial_mass_g


def test_phases_are_the_named_ones_and_groups_differ_as_they_must(acdc_root: Path) -> None:
    cases = read_dataset(f"acdc:{acdc_root}").labelled_cases
    subjects = sorted({case.subject for case in cases})
    fractions: dict[str, list[float]] = {}
    masses: dict[str, list[float]] = {}
    for subject in subjects:
        frames = [case for case in cases if case.subject == subject]
        labels = [case.labels() for case in frames]
        volumes = [each.volume_ml("LV cavity") for each in labels]
        phases = find_phases(volumes)
        assert phases.ed is not None
        assert phases.es is not None
        assert [frames[phases.ed].phase, frames[phases.es].phase] == ["ED", "ES"], subject
        fraction = ejection_fraction_percent(volumes[phases.ed], volumes[phases.es])
        fractions.setdefault(frames[0].group, []).append(fraction)
        mass = myocardial_mass_g(labels[phases.ed].volume_ml("myocardium"))
        masses.setdefault(frames[0].group, []).append(mass)
    assert max(fractions["DCM"]) < 40
    assert max(fractions["MINF"]) < 45
    assert min(fractions["NOR"]) > 50
    assert np.mean(masses["HCM"]) > 1.3 * np.mean(masses["NOR"])
