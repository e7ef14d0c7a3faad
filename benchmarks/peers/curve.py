"""Dice on the validation patients against CPU minutes of training: the peers' and cardioseg's.

    python -m benchmarks.peers.curve --acdc FOLDER --peers-output peers-output

For a folder of `make peers`. nnU-Net and MONAI keep their weights at sixths of their budget; each
is predicted with and measured by `cardioseg evaluate`, the last ones too, as they are and with the
largest piece of each structure alone. nnU-Net's last weights are also predicted with mirrors, its
default, and with `--mirrored 2` those before them. cardioseg measured itself while it
trained: its log has the Dice of every validation, on prepared slices, a patient at a time. Stages
are files: given again, the command goes on where it stopped. The answer is `curve.json`; each
training's `load_before` is null where it was not noted down.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.clock import SNAPSHOTS
from benchmarks.peers.files import read_json, write_json
from benchmarks.peers.run import ARMS, PEERS_PYTHON, ROOT, keep_largest, measured, peers_environment
from benchmarks.peers.stages import Stage, run_stage
from benchmarks.speed.accuracy import dice_curve
from benchmarks.speed.record import facts

WEIGHTS = "weights.pt"
"""A peer's last weights."""


def snapshots(seed: Path, minutes: float) -> list[tuple[str, float]]:
    """Weights that a peer kept on the way, in order, and the CPU minutes that they took.

    Parameters
    ----------
    seed
        Folder of one seed of a peer, with train.json.
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


def peer_curve(
    seed: Path,
    kept: Sequence[tuple[str, float]],
    options: argparse.Namespace,
    *,
    mirrors: bool = False,
    stage: Stage = run_stage,
) -> list[dict[str, float]]:
    """Predict with snapshots and measure them, as they are and with the largest pieces alone.

    Parameters
    ----------
    seed
        Folder of one seed of a peer, in a folder of the peer's name.
    kept
        Its snapshots, as :func:`snapshots` tells them.
    options
        `peers_output`, `acdc`, `threads`.
    mirrors
        Whether nnU-Net predicts as it does by default.
    stage
        Runs a command unless its file is there.
    """
    points = []
    for weights, spent in kept:
        variant = "mirrors" if mirrors else "plain"
        # What `make peers` predicted with the last weights is taken as it is.
        folder = seed / ("" if weights == WEIGHTS else Path(weights).stem) / variant
        command = [str(PEERS_PYTHON), "-m", f"benchmarks.peers.arm_{seed.parent.name}", "predict"]
        command += ["--output", str(folder / "predict.json"), "--threads", str(options.threads)]
        command += ["--model", str(seed), "--weights", weights]
        command += ["--images", str(options.peers_output / "data" / "images")]
        command += ["--mirrors"] if mirrors else []
        data = options.peers_output / "data"
        stage(folder / "predict.json", command, peers_environment(options.threads, data))
        labels = folder / "labels", folder.with_name(f"{variant}-largest") / "labels"
        keep_largest(*labels)
        dice = [measured(each, options.acdc, os.environ, stage).mean("dice") for each in labels]
        point = {"cpu_minutes": spent, "dice": dice[0], "dice_largest": dice[1]}
        points.append({key: round(value, 5) for key, value in point.items()})
    return points


def peer_curves(
    options: argparse.Namespace, minutes: float, stage: Stage = run_stage
) -> dict[str, list[dict[str, float]]]:
    """The curves of the peers that were trained; `nnunet_mirrors` has its last snapshots only.

    Parameters
    ----------
    options
        As :func:`peer_curve`'s, with `seed` and `mirrored`: how many snapshots have mirrors, too.
    minutes
        The budget.
    stage
        Runs a command unless its file is there.
    """
    found = {}
    for arm in ("nnunet", "monai"):
        seed = options.peers_output / arm / f"seed{options.seed}"
        if not (seed / "train.json").is_file():
            continue
        kept = snapshots(seed, minutes)
        found[arm] = peer_curve(seed, kept, options, stage=stage)
        if arm == "nnunet" and options.mirrored:
            last = kept[-options.mirrored :]
            mirrored = peer_curve(seed, last, options, mirrors=True, stage=stage)
            found["nnunet_mirrors"] = mirrored
    return found


def own_log(seed: Path) -> Path:
    """The log of cardioseg's run: in its folder, or where the model lies that was taken."""
    return Path(read_json(seed / "train.json")["model"]).parent / "log.jsonl"


def _load(seed: Path) -> dict[str, float | None]:
    path = seed / "train.json"
    return {"load_before": read_json(path).get("load_before") if path.is_file() else None}


def main(arguments: Sequence[str] | None = None) -> None:
    """Every snapshot that is not measured, then the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--acdc", type=Path, required=True, help="ACDC's folder")
    parser.add_argument("--peers-output", type=Path, default=Path("peers-output"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--mirrored", type=int, default=1, help="nnU-Net's last snapshots that have mirrors, too"
    )
    parser.add_argument("--json", type=Path, help="default: PEERS_OUTPUT/curve.json")
    options = parser.parse_args(arguments)
    options.acdc, options.peers_output = options.acdc.resolve(), options.peers_output.resolve()
    target = (options.json or options.peers_output / "curve.json").resolve()
    os.chdir(ROOT)
    known = facts(sys.argv[1:] if arguments is None else arguments, options.threads)
    del known["load_before"]  # nothing is timed here; the trainings have their own
    settings = read_json(options.peers_output / "settings.json")
    trained = {arm: options.peers_output / arm / f"seed{options.seed}" for arm in ARMS}
    found = {
        "ours": dice_curve(own_log(trained["ours"])),
        **peer_curves(options, settings["minutes"]),
        "trained": {arm: _load(seed) for arm, seed in trained.items()},
        "budget_cpu_minutes": settings["minutes"],
        "preset": settings["preset"],
        "seed": options.seed,
    }
    write_json(target, {**known, "found": found})
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
