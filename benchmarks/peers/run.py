"""The peers beside cardioseg: one budget, one split, one evaluator; stages as files, resumable."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.convert import DATASET, DATASET_ID, ENDING, fold, write_raw
from benchmarks.peers.files import read_json, write_json
from benchmarks.peers.stages import Stage, run_stage
from benchmarks.peers.table import Arm, markdown, record
from benchmarks.speed.contender import KEEP_FREED_MEMORY, as_installed, pin
from benchmarks.speed.record import processor

from cardioseg.core.labels import ACDC
from cardioseg.data.splits import read_split
from cardioseg.errors import CardiosegError, ConfigError
from cardioseg.evaluation import Report
from cardioseg.io.atomic import write_text
from cardioseg.io.nifti import read_labels, write_labels
from cardioseg.ops.components import keep_one_heart

ROOT = Path(__file__).parents[2]
PEERS_PYTHON = Path(__file__).parent / ".venv" / "bin" / "python"


@dataclass(frozen=True)
class Variant:
    """One way to predict with an arm's network.

    Parameters
    ----------
    arm
        Folder of the arm.
    key
        Folder of the variant.
    title
        As the tables call it.
    options
        Added to the arm's `predict`.
    largest
        Variant whose labels are taken instead, each structure cut down to its largest piece.
    """

    arm: str
    key: str
    title: str
    options: tuple[str, ...] = ()
    largest: str = ""


VARIANTS = (
    Variant("ours", "plain", "cardioseg {preset}"),
    Variant("ours", "all", "cardioseg {preset}, all components", ("--all-components",)),
    Variant("ours", "mirrors", "cardioseg {preset}, mirrors", ("--mirrors",)),
    Variant("nnunet", "mirrors", "nnU-Net 2-D, mirrors (its default)", ("--mirrors",)),
    Variant("nnunet", "mirrors-largest", "nnU-Net 2-D, mirrors, largest piece", largest="mirrors"),
    Variant("nnunet", "plain", "nnU-Net 2-D"),
    Variant("nnunet", "plain-largest", "nnU-Net 2-D, largest piece", largest="plain"),
    Variant("monai", "plain", "MONAI BasicUNet"),
    Variant("monai", "plain-largest", "MONAI BasicUNet, largest piece", largest="plain"),
)


def peers_environment(threads: int, folder: Path) -> dict[str, str]:
    """All of the environment that a peer's process gets; nnU-Net's folders lie in `folder`."""
    # The interpreter of this environment must not lend the peers its packages.
    bare = {key: value for key, value in as_installed(threads).items() if key != "PYTHONPATH"}
    return {
        **bare,
        **KEEP_FREED_MEMORY,
        "nnUNet_raw": str(folder / "raw"),
        "nnUNet_preprocessed": str(folder / "preprocessed"),
        "nnUNet_results": str(folder / "results"),
        "nnUNet_compile": "f",
        "nnUNet_n_proc_DA": str(threads),
        "nnUNet_def_n_proc": str(threads),
    }


ARMS = tuple(dict.fromkeys(each.arm for each in VARIANTS))

WITHOUT_CHOICE = "all"
"""Our variant that keeps every piece, as the peers do by themselves."""


def alike(arms: Mapping[Variant, Arm]) -> list[tuple[Arm, Arm]]:
    """Ours and each peer where nobody chose a piece and nothing was mirrored."""
    ours = [arm for variant, arm in arms.items() if variant.key == WITHOUT_CHOICE]
    peers = [
        arm for variant, arm in arms.items() if variant.arm != "ours" and variant.key == "plain"
    ]
    return [(first, second) for first in ours for second in peers]


class Bench:
    """The stages of one output folder.

    Parameters
    ----------
    options
        What the command line says.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.output: Path = options.output
        self.data = self.output / "data"
        self.raw = self.data / "raw"
        self.splits = self.data / "splits_final.json"
        self.images = self.data / "images"
        self.own = as_installed(options.threads)
        self.peers = peers_environment(options.threads, self.data)

    def prepare(self) -> None:
        """Convert the data, plan and preprocess for nnU-Net; none of it counts as training."""
        split = read_split(self.options.split)
        if not self.splits.is_file():
            names = write_raw(self.options.acdc, split, self.raw)
            folds = fold(split, names)
            self.images.mkdir(parents=True, exist_ok=True)
            for name in folds[0]["val"]:
                image = self.raw / DATASET / "imagesTr" / f"{name}_0000{ENDING}"
                shutil.copyfile(image, self.images / image.name)
            write_json(self.splits, folds)
        command = ["--dataset", str(DATASET_ID), "--name", DATASET, "--splits", str(self.splits)]
        self._stage("nnunet", "plan", self.data / "plan.json", command)

    def train(self, arm: str, seed: int) -> dict:
        """Train one arm with one seed."""
        options = self.options
        command = ["--minutes", str(options.minutes), "--seed", str(seed)]
        if arm == "ours":
            command += [*self._own_data(), "--preset", options.preset]
            if seed in options.ours:
                command += ["--run", str(options.ours[seed])]
        else:
            command += ["--precision", options.precision]
        if arm == "nnunet":
            command += ["--dataset", str(DATASET_ID), "--name", DATASET]
            command += ["--batch", str(options.nnunet_batch)]
        if arm == "monai":
            command += ["--raw", str(self.raw / DATASET), "--splits", str(self.splits)]
            command += ["--batch", str(options.monai_batch)]
        return self._stage(arm, "train", self._folder(arm, seed) / "train.json", command)

    def predict(self, variant: Variant, seed: int) -> dict:
        """Predict with one variant; a variant of the largest pieces has its source's seconds."""
        folder = self._folder(variant.arm, seed)
        done = folder / variant.key / "predict.json"
        if variant.largest:
            keep_largest(folder / variant.largest / "labels", folder / variant.key / "labels")
            return read_json(folder / variant.largest / "predict.json")
        data = self._own_data() if variant.arm == "ours" else ["--images", str(self.images)]
        command = ["--model", str(folder), *data, *variant.options]
        return self._stage(variant.arm, "predict", done, command)

    def evaluate(self, variant: Variant, seed: int) -> Report:
        """Measure one variant by `cardioseg evaluate`."""
        labels = self._folder(variant.arm, seed) / variant.key / "labels"
        return measured(labels, self.options.acdc, self.own)

    def arm(self, variant: Variant) -> Arm:
        """All seeds of a variant."""
        seeds = self.options.seeds
        training = [self.train(variant.arm, seed) for seed in seeds]
        predicting = [self.predict(variant, seed) for seed in seeds]
        return Arm(
            name=variant.title.format(preset=Path(self.options.preset).stem),
            parameters=training[0]["parameters"],
            reports={seed: self.evaluate(variant, seed) for seed in seeds},
            training=training,
            predicting=predicting,
        )

    def _folder(self, arm: str, seed: int) -> Path:
        return self.output / arm / f"seed{seed}"

    def _own_data(self) -> list[str]:
        return ["--acdc", str(self.options.acdc), "--split", str(self.options.split)]

    def _stage(self, arm: str, stage: str, done: Path, command: Sequence[str]) -> dict:
        python, environment = (
            (sys.executable, self.own) if arm == "ours" else (str(PEERS_PYTHON), self.peers)
        )
        start = [python, "-m", f"benchmarks.peers.arm_{arm}", stage, "--output", str(done)]
        return run_stage(
            done, [*start, "--threads", str(self.options.threads), *command], environment
        )


def measured(
    labels: Path, acdc: Path, environment: Mapping[str, str], stage: Stage = run_stage
) -> Report:
    """The report of a folder of label maps beside it, made by `cardioseg evaluate` if it is not."""
    report = labels.parent / "report" / "report.json"
    if not report.is_file():
        command = [sys.executable, "-m", "cardioseg", "evaluate", str(labels), str(acdc)]
        command += ["--scheme", ACDC.name, "--output", str(report.parent)]
        stage(report.parent / "run.json", command, environment)
    return Report.from_json(report.read_text(encoding="utf-8"))


def keep_largest(source: Path, target: Path) -> None:
    """A folder of label maps again, each structure cut down to its largest piece."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob(f"*{ENDING}")):
        write_labels(keep_one_heart(read_labels(path, ACDC)), target / path.name)


def _settings(options: argparse.Namespace) -> dict[str, object]:
    """What may not change within one output folder; seeds may be added."""
    split = read_split(options.split)
    return {
        "minutes": options.minutes,
        "threads": options.threads,
        "preset": Path(options.preset).name,
        "precision of the peers": options.precision,
        "nnunet_batch": options.nnunet_batch,
        "monai_batch": options.monai_batch,
        "training": list(split.training),
        "validation": list(split.validation),
    }


def _open(options: argparse.Namespace) -> None:
    if not PEERS_PYTHON.is_file():
        raise ConfigError("benchmarks/peers/.venv is not there; start this with `make peers`")
    path, settings = options.output / "settings.json", _settings(options)
    if not path.is_file():
        write_json(path, settings)
    elif (found := read_json(path)) != settings:
        odd = sorted(key for key in settings if found.get(key) != settings[key])
        raise ConfigError(
            f"{path}: this folder was begun with other settings ({', '.join(odd)}); "
            "name another --output"
        )


def _existing(text: str) -> tuple[int, Path]:
    seed, _, run = text.partition("=")
    if not (seed.isdigit() and run):
        raise argparse.ArgumentTypeError(f"{text!r}: write SEED=RUN, such as 0=run")
    return int(seed), Path(run).resolve()


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--acdc", type=Path, required=True, help="ACDC's folder")
    parser.add_argument("--split", type=Path, help="JSON file; default: ACDC/splits.json")
    parser.add_argument("--output", type=Path, default=Path("peers-output"))
    parser.add_argument(
        "--minutes", type=float, default=60, help="of CPU time for training, for each arm"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--preset", default="fast", help="cardioseg's preset or a TOML file")
    parser.add_argument(
        "--ours", type=_existing, nargs="*", default=[], help="SEED=RUN: take this cardioseg run"
    )
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS, help="who takes part")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--nnunet-batch", type=int, default=4)
    parser.add_argument("--monai-batch", type=int, default=16)
    options = parser.parse_args(arguments)
    options.acdc = options.acdc.resolve()
    options.output = options.output.resolve()
    options.split = (options.split or options.acdc / "splits.json").resolve()
    options.ours = dict(options.ours)
    if Path(options.preset).is_file():
        options.preset = str(Path(options.preset).resolve())
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Every stage that is not done, then results.json and results.md."""
    options = _parse(arguments)
    try:
        os.chdir(ROOT)
        _open(options)
        pin(options.threads)
        bench = Bench(options)
        bench.prepare()
        arms = {each: bench.arm(each) for each in VARIANTS if each.arm in options.arms}
    except CardiosegError as error:
        raise SystemExit(f"error: {error}") from error
    details = {
        arm: [bench.train(arm, seed) for seed in options.seeds]
        for arm in dict.fromkeys(variant.arm for variant in arms)
    }
    results = {
        "settings": _settings(options),
        "machine": {"processor": processor(), "cores_used": options.threads},
        "training": {
            arm: [{key: value for key, value in each.items() if key != "model"} for each in facts]
            for arm, facts in details.items()
        },
        **record(list(arms.values()), alike(arms)),
    }
    write_json(options.output / "results.json", results)
    table = markdown(results, options.minutes)
    write_text(options.output / "results.md", table)
    print(table)


if __name__ == "__main__":
    main()
