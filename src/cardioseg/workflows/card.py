"""The card of a freshly trained model: what it is, what it saw, what it must not be used for."""

from __future__ import annotations

import json

from cardioseg.datasets import Dataset
from cardioseg.prepare.plan import Plan
from cardioseg.training.checkpoint import Progress
from cardioseg.training.config import TrainConfig


def plane_words(plan: Plan) -> str:
    """Which slices the network reads.

    Examples
    --------
    >>> from cardioseg.prepare.plan import NetworkPlan
    >>> network = NetworkPlan(widths=(4, 8), classes=4)
    >>> plane_words(Plan(spacing_mm=2.0, size=(16, 16), network=network, scheme="acdc"))
    'native slices'
    """
    if len(plan.planes) == 1:
        return f"{plan.plane} slices"
    return f"{', '.join(plan.planes[:-1])} and {plan.planes[-1]} slices, their scores averaged"


def model_card(config: TrainConfig, dataset: Dataset, split: str, progress: Progress) -> str:
    """A model card as Markdown.

    Parameters
    ----------
    config, dataset, progress
        What was trained, on what, and how it went.
    split
        The split as JSON, for the number of subjects.
    """
    plan = config.plan
    parts = json.loads(split)
    counted = ", ".join(f"{len(v)} {k}" for k, v in parts.items() if isinstance(v, list) and v)
    people = f"{counted} subjects" if counted else "split by slices: its figures are too good"
    structures = ", ".join(s.name for s in plan.label_scheme.structures)
    network = plan.network
    widths = ", ".join(str(width) for width in network.widths)
    return f"""# Model card

| | |
|---|---|
| Structures | {structures} (scheme `{plan.scheme}`) |
| Input | {plane_words(plan)}, {plan.spacing_mm:g} mm, {plan.size[0]} x {plan.size[1]} pixels |
| Network | U-Net, {network.convolution} convolutions, widths {widths} |
| Data | {dataset.name}; {people} |
| Training | {progress.epoch} epochs, {progress.seconds / 60:.1f} minutes, seed {config.seed} |
| Validation | mean Dice {progress.best_dice:.4f} on prepared slices, epoch {progress.best_epoch} |
| Licence of the data | {dataset.license} |

The validation figure chose the epoch: it is optimistic. Weights trained on a data set are bound by
its licence. This is a research model. It is not a medical device and must not guide treatment.
"""
