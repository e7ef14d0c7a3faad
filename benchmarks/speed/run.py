"""Every figure of docs/performance.md in one run; each part is written as soon as it is known.

    make bench                                   this environment
    make bench-peers                             Keras, MONAI and nnU-Net beside it
    python -m benchmarks.speed.run --only inference --rounds 3 --output FOLDER

A part whose file is there is not measured again, nor a network and batch of it: remove it, or name
another folder. Contenders run in processes of their own and in turns, and ratios are taken turn by
turn. Nothing else should run meanwhile: the load of the machine before each part is written down.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.speed.accuracy import minutes_to_goals
from benchmarks.speed.contender import Contender, Worker, pin
from benchmarks.speed.default_engine import default_engine
from benchmarks.speed.machine import describe
from benchmarks.speed.pace import WARM_UP, Spread, ratios, take_turns
from benchmarks.speed.peers_predict import compared, runs_of
from benchmarks.speed.record import facts, told
from benchmarks.speed.results import read_results
from benchmarks.speed.roofline import roofline
from benchmarks.speed.stages import stages
from benchmarks.speed.targets import targets_table
from benchmarks.speed.volumes import (
    LARGE_SAX,
    LARGE_WHOLE_HEART,
    Whole,
    growth,
    large_volume,
    predicting,
    stack,
)

from cardioseg.io.atomic import write_text

SIDE = 256
NETWORKS = ("unet-1", "unet-2")
ENGINES = ("onnx", "openvino", "onnx-int8", "openvino-int8", "torch-nchw", "torch-channels-last")
STEPS = (
    "ours",
    "ours-bfloat16",
    "ours-eager",
    "ours-bfloat16-eager",
    "torch-nchw",
    "torch-channels-last",
)
BATCHES = {"inference": (1, 8), "training": (1, 4, 8)}
"""Parts in which contenders meet, and on how many images at once."""
LARGE_ROUNDS = 3


def duels(
    options: argparse.Namespace, task: str, names: Sequence[str], batches: Sequence[int]
) -> list[dict]:
    """Images a second of every contender, and how many times as fast as each it is.

    Those that `options.kept` holds are not measured again; each new one tells its load.
    """
    found = list(options.kept)
    known = {(each["network"], each["batch"]) for each in found}
    for network in NETWORKS:
        for batch in batches:
            if (network, batch) in known:
                continue
            conditions = facts(sys.argv[1:], options.threads)
            contenders = [Contender("ours", n, task, network, batch, options.side) for n in names]
            if options.keras:
                keras = Contender("keras", "keras", task, network, batch, options.side)
                kept = Contender(
                    "keras", "keras", task, network, batch, options.side, keeps_memory=True
                )
                contenders += [keras, kept]
            if options.peers:
                contenders += [
                    Contender("peers", n, task, network, batch, options.side, keeps_memory=kept)
                    for n in ("monai", "nnunet")
                    for kept in (False, True)
                ]
            duel = _duel(options, contenders)
            found.append({"network": network, "batch": batch, **conditions, **duel})
            print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    return sorted(found, key=lambda each: (each["network"], each["batch"]))


def _duel(options: argparse.Namespace, contenders: Sequence[Contender]) -> dict:
    pythons = {"ours": Path(sys.executable), "keras": options.keras, "peers": options.peers}
    with ExitStack() as running:
        workers = {
            each.told: running.enter_context(Worker(each, pythons[each.family], options.threads))
            for each in contenders
        }
        seconds = take_turns(workers, options.rounds)
    batch = contenders[0].batch
    speeds = {n: Spread.of([batch / s for s in each]).as_json() for n, each in seconds.items()}
    against = {
        slow: {fast: ratios(seconds[slow], seconds[fast]).as_json(2) for fast in seconds}
        for slow in seconds
    }
    return {"images_per_s": speeds, "times_as_fast": against}


def inference(options: argparse.Namespace) -> object:
    """Images a second of prediction, both exact networks."""
    return duels(options, "predict", ENGINES, _batches("inference", options))


def training(options: argparse.Namespace) -> object:
    """Images a second of training steps, both exact networks."""
    return duels(options, "train", STEPS, _batches("training", options))


def threads(options: argparse.Namespace) -> object:
    """Images a second of prediction by number of threads, both exact networks, batch 1 and 8."""
    counts = sorted({*range(1, options.threads + 1), 2 * options.threads})
    names = [f"{engine}@{count}" for engine in ("onnx", "openvino") for count in counts]
    ours = argparse.Namespace(**{**vars(options), "keras": None, "peers": None, "kept": []})
    return duels(ours, "predict", [*names, "openvino-two-streams"], (1, 8))


def roof(options: argparse.Namespace) -> object:
    """Multiplications, bytes and least milliseconds of both networks on this machine."""
    machine = describe(options.threads)
    peak, width = float(machine["gemm_gflops"]), float(machine["copy_gb_per_s"])
    kinds = {"unet-1": "conventional", "unet-2": "separable"}
    rows = {name: roofline(kind, options.side, peak, width) for name, kind in kinds.items()}
    return {"machine": machine, "networks": rows}


def process(options: argparse.Namespace) -> object:
    """`predict` as a process: one volume by `sax`, four of them, and the large one."""
    folder = options.scratch
    image = options.image or stack(folder, 216, 10)
    four = [stack(folder, 216, 10, copy) for copy in range(1, 5)]

    def run(images: Sequence[Path], model: str, *words: str) -> Callable[[], Whole]:
        return predicting(images, model, folder / "out", options.threads, *words)

    runs = {
        engine + told: run(which, "sax", "--engine", engine)
        for told, which in {"": [image], ", four volumes": four}.items()
        for engine in ("auto", "onnx", "openvino")
    }
    whole = ("--no-quality", "--whole-slices")
    runs["auto, no quality gate"] = run([image], "sax", "--no-quality")
    runs["auto, no quality gate, whole slices"] = run([image], "sax", *whole)
    large = [large_volume(folder)]
    larges = {
        LARGE_SAX: run(large, "sax", "--plane", "axial"),
        LARGE_WHOLE_HEART: run(large, "whole-heart"),
    }
    return {
        "runs": _wholes(runs, options.rounds, WARM_UP),
        "large": _wholes(larges, LARGE_ROUNDS, 0),
    }


def _wholes(runs: Mapping[str, Callable[[], Whole]], rounds: int, warm_up: int) -> dict[str, dict]:
    """Seconds and memory of processes, in turns."""
    taken: dict[str, list[Whole]] = {name: [] for name in runs}
    for number in range(warm_up + rounds):
        for name, run in runs.items():
            whole = run()
            print(name, whole, file=sys.stderr, flush=True)
            if number >= warm_up:
                taken[name].append(whole)
    return {
        name: {
            "seconds": Spread.of([each.seconds for each in all_of]).as_json(),
            "peak_mb": Spread.of([each.peak_mb for each in all_of]).as_json(0),
        }
        for name, all_of in taken.items()
    }


def steps(options: argparse.Namespace) -> object:
    """Each step of `predict --model sax` of one volume."""
    image = options.image or stack(options.scratch, 216, 10)
    return stages("sax", image, options.scratch, options.threads, options.rounds)


def by_engine(options: argparse.Namespace) -> object:
    """`predict --model sax` by engine: one volume, many, and a large one."""
    image = options.image or stack(options.scratch, 216, 10)
    return default_engine(image, options.scratch, options.threads, options.rounds)


def grown(options: argparse.Namespace) -> object:
    """Seconds and memory against slices, pixels and volumes."""
    return growth("sax", options.scratch, options.threads, min(options.rounds, 3))


def accuracy(options: argparse.Namespace) -> object:
    """Minutes to each Dice, of the runs that `--log NAME=FILE` names."""
    return {name: minutes_to_goals(Path(path)) for name, path in options.log.items()}


def peers_predict(options: argparse.Namespace) -> object:
    """nnU-Net's prediction of one volume, as `make peers` trained it, beside ours."""
    if not options.peers_output:
        raise SystemExit("error: peers-predict needs --peers-output, a folder of `make peers`")
    image = options.image or stack(options.scratch, 216, 10)
    runs = runs_of(options.peers_output, options.ours, image, options.scratch, options.threads)
    return {"model": told([options.ours])[0], **compared(runs, options.rounds)}


PARTS: dict[str, Callable[[argparse.Namespace], object]] = {
    "roof": roof,
    "inference": inference,
    "training": training,
    "process": process,
    "stages": steps,
    "threads": threads,
    "default-engine": by_engine,
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
    parser.add_argument("--batches", type=int, nargs="+", help="images at once; default: all")
    parser.add_argument("--image", type=Path, help="an ACDC volume; default: a synthetic stack")
    parser.add_argument("--keras", type=Path, help="python of the environment with Keras")
    parser.add_argument("--peers", type=Path, help="python of the environment of the peers")
    parser.add_argument("--log", type=_named, nargs="*", default=[], metavar="NAME=LOG.jsonl")
    parser.add_argument("--peers-output", type=Path, help="what `make peers` wrote")
    parser.add_argument("--ours", default="sax", help="our model beside nnU-Net")
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
            options.kept = _kept_duels(path, name, options)
            known = facts(sys.argv[1:], options.threads)
            known |= {"side": options.side, "beside": _beside(name, options)}
            if options.kept:
                known = json.loads(path.read_text())
            print(f"{name}: measuring", file=sys.stderr, flush=True)
            text = json.dumps({**known, "found": PARTS[name](options)}, indent=1)
            write_text(path, text + "\n")
    table = targets_table(read_results(options.output))
    write_text(options.output / "table.md", table + "\n")
    print(table)


def _is_measured(path: Path, part: str, options: argparse.Namespace) -> bool:
    """Whether a part is there; with all that is asked for where contenders meet in it."""
    if part not in BATCHES:
        return path.is_file()
    kept = {(each["network"], each["batch"]) for each in _kept_duels(path, part, options)}
    return kept >= {(n, batch) for n in NETWORKS for batch in _batches(part, options)}


def _kept_duels(path: Path, part: str, options: argparse.Namespace) -> list[dict]:
    """Duels that a file holds, if everyone that is asked for stood beside them."""
    if part not in BATCHES or not path.is_file():
        return []
    told = json.loads(path.read_text())
    return told["found"] if set(_beside(part, options)) <= set(told.get("beside", ())) else []


def _batches(part: str, options: argparse.Namespace) -> Sequence[int]:
    return options.batches or BATCHES[part]


def _beside(part: str, options: argparse.Namespace) -> list[str]:
    if part not in BATCHES:
        return []
    return [name for name in ("keras", "peers") if getattr(options, name)]


def _named(text: str) -> tuple[str, str]:
    name, sign, path = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text}: write NAME=FILE")
    return name, path


if __name__ == "__main__":
    main()
