"""Training and measuring of all arms of a study, seed by seed; what is done is never done again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cardioseg.datasets import Dataset
from cardioseg.evaluation import Report
from cardioseg.inference.predictor import load_model
from cardioseg.model import open_model
from cardioseg.training.config import TrainConfig
from cardioseg.training.fit import Step, Watch
from cardioseg.workflows.study.analysis import BUDGETS, Findings, Key, pair_stands
from cardioseg.workflows.study.budget import History, read_history, stand
from cardioseg.workflows.study.config import Study
from cardioseg.workflows.study.measure import measure
from cardioseg.workflows.study.pace import duration_in_words, seconds_left
from cardioseg.workflows.study.parts import HeldOut, Parts
from cardioseg.workflows.study.runs import (
    MODEL,
    Cost,
    export_state,
    run_folder,
    state_folder,
    tidy,
    train_run,
)


@dataclass(frozen=True)
class Listener:
    """Who is told: `tell` gets lines for a person, `show` (done, total, what) of the work."""

    tell: Callable[[str], None] = lambda line: None
    show: Callable[[int, int, str], None] = lambda done, total, note: None


@dataclass(frozen=True, eq=False)
class Materials:
    """What a study works with.

    Parameters
    ----------
    study
        The study.
    dataset
        For the licence on the model cards.
    configs, parts, costs
        Of each arm.
    """

    study: Study
    dataset: Dataset
    configs: Mapping[str, TrainConfig]
    parts: Mapping[str, Parts]
    costs: Mapping[str, Cost]


class Laboratory:
    """Trains and measures, and remembers what came of it.

    Parameters
    ----------
    materials
        What to train and to measure.
    output
        The study's folder; each arm and seed has a run folder in it.
    listener
        Who is told how it goes.
    """

    def __init__(self, materials: Materials, output: Path, listener: Listener) -> None:
        self._materials, self._output, self._listener = materials, output, listener
        self._histories: dict[tuple[str, int], History] = {}
        self._reports: dict[Key, Report] = {}

    def findings(self) -> Findings:
        """What was found so far."""
        contrasted = {arm: p.contrasted.name for arm, p in self._materials.parts.items()}
        return Findings(dict(self._histories), dict(self._reports), contrasted)

    def model_ids(self) -> dict[str, str]:
        """Id of every network that was measured."""
        return {
            f"{key.arm}, seed {key.seed}, epoch {key.epoch}": open_model(
                state_folder(self._folder(key.arm, key.seed), key.epoch) / MODEL
            ).id
            for key in self._reports
        }

    def train(self, arm: str, seed: int) -> None:
        """Train one network, or what is left of its epochs."""
        config, folder = self._config(arm, seed), self._folder(arm, seed)
        title = f"{arm}, seed {seed}"
        self._histories[arm, seed] = read_history(folder)

        def stepped(step: Step) -> None:
            done = sum(map(len, self._histories.values())) * step.steps + step.step
            total = sum(self._epochs_left().values()) * step.steps + done - step.step
            note = f"{title}: epoch {step.epoch}/{step.epochs}, loss {step.loss:.3f}"
            self._listener.show(done, total, note)

        def finished(record: Mapping[str, float]) -> None:
            before = self._histories[arm, seed][: int(record["epoch"]) - 1]
            self._histories[arm, seed] = (*before, dict(record))
            dice = f", Dice {record['dice']:.4f}" if "dice" in record else ""
            self._listener.tell(
                f"{title}: epoch {record['epoch']:.0f}/{config.epochs}, loss {record['loss']:.4f}"
                f"{dice}, {duration_in_words(record['seconds'])}; {self._left()}"
            )

        watch = Watch(step=stepped, epoch=finished)
        parts = self._materials.parts[arm]
        self._histories[arm, seed] = train_run(config, parts, folder, watch)

    def measure(self, seed: int) -> None:
        """Measure every network of a seed as it stood in either budget, then drop its snapshots."""
        study, parts = self._materials.study, self._materials.parts
        histories = {arm: self._histories[arm, seed] for arm in study.arms}
        for arm, history in histories.items():
            if final := stand(history):
                for held_out in parts[arm].held_out:
                    self._measure(Key(arm, seed, final.epoch, held_out.name), held_out)
        for pair in study.pairs:
            for budget in BUDGETS:
                for arm, stood in zip(pair, pair_stands(pair, budget, histories), strict=True):
                    if stood:
                        held_out = parts[arm].contrasted
                        self._measure(Key(arm, seed, stood.epoch, held_out.name), held_out)
        tidy([self._folder(arm, seed) for arm in study.arms])

    def _measure(self, key: Key, held_out: HeldOut) -> None:
        if key in self._reports:
            return
        folder = self._folder(key.arm, key.seed)
        history, parts = self._histories[key.arm, key.seed], self._materials.parts[key.arm]
        config, dataset = self._config(key.arm, key.seed), self._materials.dataset
        model = export_state(config, dataset, parts.record, history, folder, key.epoch)
        title, total = f"{key.arm}, seed {key.seed}, epoch {key.epoch}", len(held_out.cases)
        self._listener.tell(f"{title}: measuring {total} cases ({key.part})")

        def watch(done: int, case: str) -> None:
            self._listener.show(done, total, f"measuring {title}: {case}")

        where = state_folder(folder, key.epoch)
        self._reports[key] = measure(lambda: load_model(model), held_out, where, watch)

    def _folder(self, arm: str, seed: int) -> Path:
        return run_folder(self._output, arm, seed)

    def _config(self, arm: str, seed: int) -> TrainConfig:
        return self._materials.configs[arm].model_copy(update={"seed": seed})

    def _epochs_left(self) -> dict[str, int]:
        """Of each arm, over all seeds."""
        return {
            arm: sum(
                config.epochs - len(self._histories.get((arm, seed), ()))
                for seed in self._materials.study.seeds
            )
            for arm, config in self._materials.configs.items()
        }

    def _left(self) -> str:
        """How long the rest of the training takes, over all arms and seeds."""
        work = {
            arm: float(self._materials.costs[arm].multiplications * len(parts.training))
            for arm, parts in self._materials.parts.items()
        }
        seconds = seconds_left(self._histories, self._epochs_left(), work)
        return "" if seconds is None else f"{duration_in_words(seconds)} of training left in all"
