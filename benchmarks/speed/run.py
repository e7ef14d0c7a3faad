"""Every figure of docs/performance.md in one run; each part is written as soon as it is known.

    make bench                                   this environment
    make bench-peers                             Keras, MONAI and nnU-Net beside it
    python -m benchmarks.speed.run --only inference --rounds 3 --output FOLDER

A part whose file is there is not measured again: remove it, or name another folder. Contenders
run in processes of their own and in turns, and ratios are taken turn by turn. Nothing else should
run meanwhile: the load of the machine before each part is written down.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from benchmarks.speed.accuracy import minutes_to_goals
from benchmarks.speed.contender import Contender, Worker, pin
from benchmarks.speed.machine import describe
from benchmarks.speed.pace import Spread, ratios, take_turns
from benchmarks.speed.peers_predict import compared, runs_of
from benchmarks.speed.roofline import roofline
from benchmarks.speed.volumes import growth, large_volume, predicting, stack

from cardioseg.io.atomic import write_text

SIDE = 256
NETWORKS = ("unet-1", "unet-2")
ENGINES = ("onnx", "openvino", "onnx-int8", "openvino-int8", "torch-nchw", "torch-channels-last")
STEPS = ("ours", "ours-bfloat16", "ours-eager", "ours-bfloat16-eager", "torch-channels-last")


def duels(
    options: argparse.Namespace, task: str, names: Sequence[str], batches: Sequence[int]
) -> list[dict]:
    """Images a second of every contender, and how many times as fast as each it is."""
    found = []
    for network in NETWORKS:
        for batch in batches:
            contenders = [Contender("ours", n, task, network, batch, options.side) for n in names]
            if options.keras:
                keras = Contender("keras", "keras", task, network, batch, options.side)
                kept = Contender(
                    "keras", "keras", task, network, batch, options.side, keeps_memory=True
                )
                contenders += [keras, kept]
            if options.peers:
                contenders += [
                    Contender("peers", n, task, network, batch, options.side)
                    for n in ("monai", "nnunet")
                ]
            found.append({"network": network, "batch": batch, **_duel(options, contenders)})
            print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    return found


def _duel(options: argparse.Namespace, contenders: Sequence[Contender]) -> dict:
    pythons = {"ours": Path(sys.executable), "keras": options.keras, "peers": options.peers}
    with ExitStack() as running:
        workers = {
            each.told: running.enter_context(Worker(each, pythons[each.family], options.threads))
            for each in contenders
        }
        seconds = take_turns(workers, options.rounds, warm_up=2)
    batch = contenders[0].batch
    speeds = {n: Spread.of([batch / s for s in each]).as_json() for n, each in seconds.items()}
    against = {
        slow: {fast: ratios(seconds[slow], seconds[fast]).as_json(2) for fast in seconds}
        for slow in seconds
    }
    return {"images_per_s": speeds, "times_as_fast": against}


def inference(options: argparse.Namespace) -> object:
    """Images a second of prediction, both exact networks, batch 1 and 8."""
    return duels(options, "predict", ENGINES, (1, 8))


def training(options: argparse.Namespace) -> object:
    """Images a second of training steps, both exact networks, batch 4 and 8."""
    return duels(options, "train", STEPS, (4, 8))


def roof(options: argparse.Namespace) -> object:
    """Multiplications, bytes and least milliseconds of both networks on this machine."""
    machine = describe(options.threads)
    peak, width = float(machine["gemm_gflops"]), float(machine["copy_gb_per_s"])
    kinds = {"unet-1": "conventional", "unet-2": "separable"}
    rows = {name: roofline(kind, options.side, peak, width) for name, kind in kinds.items()}
    return {"machine": machine, "networks": rows}


def process(options: argparse.Namespace) -> object:
    """`predict --model sax` as a process: one volume, four of them, and the large one."""
    folder = options.scratch
    image = options.image or stack(folder, 216, 10)
    four = [stack(folder, 216, 10, copy) for copy in range(1, 5)]
    images = {"": [image], ", four volumes": four}
    runs = {
        engine + told: predicting(which, "sax", folder / "out", options.threads, "--engine", engine)
        for told, which in images.items()
        for engine in ("auto", "onnx", "openvino")
    }
    for told, words in {
        "auto, no quality gate": ("--no-quality",),
        "auto, no quality gate, whole slices": ("--no-quality", "--whole-slices"),
    }.items():
        runs[told] = predicting([image], "sax", folder / "out", options.threads, *words)
    wholes: dict[str, list] = {name: [] for name in runs}
    for _ in range(options.rounds + 1):
        for name, run in runs.items():
            wholes[name].append(run())
    large = predicting(
        [large_volume(folder)], "sax", folder / "out", options.threads, "--plane", "axial"
    )()
    return {
        "runs": {
            name: {
                "seconds": Spread.of([w.seconds for w in each[1:]]).as_json(),
                "peak_mb": Spread.of([w.peak_mb for w in each[1:]]).as_json(0),
            }
            for name, each in wholes.items()
        },
        "large": asdict(large),
    }


def grown(options: argparse.Namespace) -> object:
    """Seconds against slices, pixels and volumes."""
    return growth("sax", options.scratch, options.threads, min(options.rounds, 5))


def accuracy(options: argparse.Namespace) -> object:
    """Minutes to each Dice, of the runs that `--log NAME=FILE` names."""
    return {name: minutes_to_goals(Path(path)) for name, path in options.log.items()}


def peers_predict(options: argparse.Namespace) -> object:
    """nnU-Net's prediction of one volume beside ours, with what `make peers` trained."""
    if not options.peers_output:
        raise SystemExit("error: peers-predict needs --peers-output, a folder of `make peers`")
    image = options.image or stack(options.scratch, 216, 10)
    runs = runs_of(options.peers_output, image, options.scratch, options.threads)
    return compared(runs, options.rounds)


PARTS: dict[str, Callable[[argparse.Namespace], object]] = {
    "roof": roof,
    "inference": inference,
    "training": training,
    "process": process,
    "growth": grown,
    "accuracy": accuracy,
    "peers-predict": peers_predict,
}
LATER = ("accuracy", "peers-predict")
"""Parts that need trained networks: measured only where they are named."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("bench-output"))
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=[name for name in PARTS if name not in LATER]
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--side", type=int, default=SIDE, help="pixels; less for a quick trial")
    parser.add_argument("--image", type=Path, help="an ACDC volume; default: a synthetic stack")
    parser.add_argument("--keras", type=Path, help="python of the environment with Keras")
    parser.add_argument("--peers", type=Path, help="python of the environment of the peers")
    parser.add_argument("--log", type=_named, nargs="*", default=[], metavar="NAME=LOG.jsonl")
    parser.add_argument("--peers-output", type=Path, help="what `make peers` wrote")
    options = parser.parse_args()
    options.log = dict(options.log)
    pin(options.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        options.scratch = Path(scratch)
        for name in options.only:
            path = options.output / f"{name}.json"
            if _is_measured(path, name, options):
                print(f"{path} is there: not measured again", file=sys.stderr)
                continue
            load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
            facts = {"command": _told(sys.argv[1:]), "threads": options.threads}
            facts |= {"side": options.side, "load_before": load, "beside": _beside(name, options)}
            print(f"{name}: measuring", file=sys.stderr, flush=True)
            text = json.dumps({**facts, "found": PARTS[name](options)}, indent=1)
            write_text(path, text + "\n")


def _is_measured(path: Path, part: str, options: argparse.Namespace) -> bool:
    """Whether a part is there, and with everyone that is asked for beside it."""
    if not path.is_file():
        return False
    return set(_beside(part, options)) <= set(json.loads(path.read_text()).get("beside", ()))


def _beside(part: str, options: argparse.Namespace) -> list[str]:
    if part not in ("inference", "training"):
        return []
    return [name for name in ("keras", "peers") if getattr(options, name)]


def _told(words: Sequence[str]) -> list[str]:
    """A command line without the folders of this machine."""
    told = []
    for word in words:
        name, sign, path = word.rpartition("=")
        told.append(name + sign + (Path(path).name if Path(path).is_absolute() else path))
    return told


def _named(text: str) -> tuple[str, str]:
    name, sign, path = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text}: write NAME=FILE")
    return name, path


if __name__ == "__main__":
    main()
