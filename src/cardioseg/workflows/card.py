"""The card of a freshly trained model: what it is, what it saw, what it must not be used for."""

from __future__ import annotations

import json

from cardioseg.datasets import Dataset
from cardioseg.training.checkpoint import Progress
from cardioseg.training.config import TrainConfig


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
    validated = (
        f"mean Dice {progress.best_dice:.4f} on prepared slices, epoch {progress.best_epoch}"
        if progress.best_dice >= 0
        else "none: every patient trained"
    )
    structures = ", ".join(s.name for s in plan.label_scheme.structures)
    network = plan.network
    widths = ", ".join(str(width) for width in network.widths)
    return f"""# Model card

| | |
|---|---|
| Structures | {structures} (scheme `{plan.scheme}`) |
| Input | {plan.plane} slices, {plan.spacing_mm:g} mm, {plan.size[0]} x {plan.size[1]} pixels |
| Network | U-Net, {network.convolution} convolutions, widths {widths} |
| Data | {dataset.name}; {people} |
| Training | {progress.epoch} epochs, {progress.seconds / 60:.1f} minutes, seed {config.seed} |
| Validation | {validated} |
| Licence of the data | {dataset.license} |

The validation figure chose the epoch: it is optimistic. Weights trained on a data set are bound by
its licence. This is a research model. It is not a medical device and must not guide treatment.
"""
