"""Dice on the validation patients against CPU minutes of training: nnU-Net's and cardioseg's.

    python -m benchmarks.peers.curve --acdc FOLDER --peers-output peers-output

For a folder of `make peers`. nnU-Net kept its weights at sixths of its budget; each is predicted
with and measured by `cardioseg evaluate`, the last ones too, as they are and with the largest piece
of each structure alone. cardioseg measured itself while it
trained: its log has the Dice of every validation, on prepared slices, a patient at a time. Stages
are files: given again, the command goes on where it stopped. The answer is `curve.json`.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.files import read_json, write_json
from benchmarks.peers.run import PEERS_PYTHON, ROOT, keep_largest, measured, peers_environment
from benchmarks.peers.stages import Stage, run_stage
from benchmarks.speed.accuracy import dice_curve

WEIGHTS, SNAPSHOTS = "weights.pt", 6
"""nnU-Net's last weights, and how many parts its budget is cut into (`arm_nnunet.SNAPSHOTS`)."""


def snapshots(seed: Path, minutes: float) -> list[tuple[str, float]]:
    """Weights that nnU-Net kept on the way, in order, and the CPU minutes that they took.

    Parameters
    ----------
    seed
        Folder of one seed of nnU-Net, with train.json.
    minutes
        Its budget.
    """
    kept = [
        (f"weights-{part}.pt", minutes * part / SNAPSHOTS)
        for part in range(1, SNAPSHOTS)
        if (seed / f"weights-{part}.pt").is_file()
    ]
    spent = read_json(seed / "train.json")["training_cpu_seconds"] / 60
    return [*kept, (WEIGHTS, spent)]


def nnunet_curve(
    seed: Path, options: argparse.Namespace, minutes: float, stage: Stage = run_stage
) -> list[dict[str, float]]:
    """Predict with every snapshot and measure it, as it is and with the largest pieces alone.

    Parameters
    ----------
    seed
        Folder of one seed of nnU-Net.
    options
        `peers_output`, `acdc`, `threads`, `mirrors`.
    minutes
        Its budget of CPU minutes.
    stage
        Runs a command unless its file is there.
    """
    points = []
    for weights, spent in snapshots(seed, minutes):
        variant = "mirrors" if options.mirrors else "plain"
        # What `make peers` predicted with the last weights is taken as it is.
        folder = seed / ("" if weights == WEIGHTS else Path(weights).stem) / variant
        command = [str(PEERS_PYTHON), "-m", "benchmarks.peers.arm_nnunet", "predict"]
        command += ["--output", str(folder / "predict.json"), "--threads", str(options.threads)]
        command += ["--model", str(seed), "--weights", weights]
        command += ["--images", str(options.peers_output / "data" / "images")]
        command += ["--mirrors"] if options.mirrors else []
        data = options.peers_output / "data"
        stage(folder / "predict.json", command, peers_environment(options.threads, data))
        labels = folder / "labels", folder.with_name(f"{variant}-largest") / "labels"
        keep_largest(*labels)
        dice = [measured(each, options.acdc, os.environ, stage).mean("dice") for each in labels]
        point = {"cpu_minutes": spent, "dice": dice[0], "dice_largest": dice[1]}
        points.append({key: round(value, 5) for key, value in point.items()})
    return points


def own_log(seed: Path) -> Path:
    """The log of cardioseg's run: in its folder, or where the model lies that was taken."""
    return Path(read_json(seed / "train.json")["model"]).parent / "log.jsonl"


def main(arguments: Sequence[str] | None = None) -> None:
    """Every snapshot that is not measured, then the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--acdc", type=Path, required=True, help="ACDC's folder")
    parser.add_argument("--peers-output", type=Path, default=Path("peers-output"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--mirrors", action="store_true", help="predict as nnU-Net does by default")
    parser.add_argument("--json", type=Path, help="default: PEERS_OUTPUT/curve.json")
    options = parser.parse_args(arguments)
    options.acdc, options.peers_output = options.acdc.resolve(), options.peers_output.resolve()
    target = (options.json or options.peers_output / "curve.json").resolve()
    os.chdir(ROOT)
    settings = read_json(options.peers_output / "settings.json")
    theirs, ours = (
        options.peers_output / arm / f"seed{options.seed}" for arm in ("nnunet", "ours")
    )
    found = {
        "ours": dice_curve(own_log(ours)),
        "nnunet": nnunet_curve(theirs, options, settings["minutes"]),
        "budget_cpu_minutes": settings["minutes"],
        "preset": settings["preset"],
        "seed": options.seed,
        "mirrors": options.mirrors,
    }
    write_json(target, {"threads": options.threads, "found": found})
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
