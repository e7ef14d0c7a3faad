"""MONAI's BasicUNet, 2-D, on the CPU: train within a budget, predict. Runs in the peers' .venv."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import torch
from benchmarks.peers.clock import Clock, cosine
from benchmarks.peers.files import append_line, read_json, write_json
from benchmarks.peers.timing import Stopwatch, autocast_bfloat16
from monai import transforms as mt
from monai.data import DataLoader, Dataset
from monai.inferers import SlidingWindowInferer
from monai.losses import DiceCELoss
from monai.networks.nets import BasicUNet
from monai.utils import set_determinism

SPACING_MM = 1.5
SIDE = 192
CLASSES = 4
LEARNING_RATE, WEIGHT_DECAY = 1e-3, 1e-2
WEIGHTS = "weights.pt"
LOG_EVERY = 50
IMAGE, LABELS = "image", "label"


def network() -> BasicUNet:
    """MONAI's BasicUNet with its own widths, for slices."""
    return BasicUNet(spatial_dims=2, in_channels=1, out_channels=CLASSES)


def loading(keys: tuple[str, ...]) -> mt.Compose:
    """Read a stack, 1.5 mm in its plane, slices as they are, intensities standardised."""
    modes = {IMAGE: "bilinear", LABELS: "nearest"}
    return mt.Compose(
        [
            mt.LoadImaged(keys, image_only=True),
            mt.EnsureChannelFirstd(keys),
            # A spacing that is not positive keeps the file's own.
            mt.Spacingd(keys, (SPACING_MM, SPACING_MM, -1.0), mode=[modes[key] for key in keys]),
            mt.NormalizeIntensityd(IMAGE, nonzero=True),
        ]
    )


def augmentation() -> mt.Compose:
    """Crop, flips, affine and intensity, as MONAI's tutorials combine them."""
    keys = (IMAGE, LABELS)
    return mt.Compose(
        [
            mt.SpatialPadd(keys, (SIDE, SIDE)),
            mt.RandSpatialCropd(keys, (SIDE, SIDE), random_size=False),
            mt.RandFlipd(keys, prob=0.5, spatial_axis=0),
            mt.RandFlipd(keys, prob=0.5, spatial_axis=1),
            mt.RandRotate90d(keys, prob=0.5),
            mt.RandAffined(
                keys,
                prob=0.7,
                rotate_range=np.pi / 6,
                scale_range=(0.2, 0.2),
                translate_range=(10, 10),
                mode=("bilinear", "nearest"),
                padding_mode="zeros",
            ),
            mt.RandGaussianNoised(IMAGE, prob=0.15, std=0.1),
            mt.RandGaussianSmoothd(IMAGE, prob=0.15, sigma_x=(0.5, 1.0), sigma_y=(0.5, 1.0)),
            mt.RandScaleIntensityd(IMAGE, factors=0.25, prob=0.3),
            mt.RandShiftIntensityd(IMAGE, offsets=0.1, prob=0.3),
            mt.RandAdjustContrastd(IMAGE, prob=0.3, gamma=(0.7, 1.5)),
            mt.ToTensord(keys, track_meta=False),
        ]
    )


def slices_of(raw: Path, cases: list[str]) -> list[dict[str, torch.Tensor]]:
    """All slices (1, H, W) of these cases, image and labels."""
    read = loading((IMAGE, LABELS))
    found = []
    for case in cases:
        files = {
            IMAGE: raw / "imagesTr" / f"{case}_0000.nii.gz",
            LABELS: raw / "labelsTr" / f"{case}.nii.gz",
        }
        stack = {key: value.as_tensor() for key, value in read(files).items()}
        count = stack[IMAGE].shape[-1]
        found += [{key: stack[key][..., k].clone() for key in stack} for k in range(count)]
    return found


def batches(data: Dataset, options: argparse.Namespace) -> Iterator[tuple[torch.Tensor, ...]]:
    """Augmented batches without end, each pass in a new order."""
    loader = DataLoader(
        data,
        batch_size=options.batch,
        shuffle=True,
        drop_last=len(data) > options.batch,
        num_workers=options.threads,
        persistent_workers=True,
        generator=torch.Generator().manual_seed(options.seed),
    )
    while True:
        for batch in loader:
            yield batch[IMAGE], batch[LABELS]


def train(options: argparse.Namespace) -> None:
    """Train one network and write its weights and times; `weights-K.pt` after K sixths."""
    set_determinism(options.seed)
    cases = read_json(options.splits)[0]["train"]
    data = Dataset(slices_of(options.raw, cases), augmentation())
    net = network().train()
    loss_of = DiceCELoss(to_onehot_y=True, softmax=True, include_background=False, batch=True)
    optimiser = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    folder = options.output.parent
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log.jsonl"
    log.unlink(missing_ok=True)
    source = batches(data, options)
    first, losses = next(source), []  # the workers start before the clock does
    clock, started, kept = Clock(60 * options.minutes), time.monotonic(), 0
    while clock.has_time():
        images, labels = first if clock.steps == 1 else next(source)
        rate = LEARNING_RATE * cosine(clock.share)
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        if options.precision == "bfloat16":
            with autocast_bfloat16():
                output = net(images)
        else:
            output = net(images)
        loss = loss_of(output.float(), labels)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
        if clock.steps % LOG_EVERY == 0:
            record = {"step": clock.steps, "cpu_seconds": clock.spent_s, "learning_rate": rate}
            append_line(log, {**record, "loss": float(np.mean(losses))})
            losses.clear()
        if clock.parts > kept:
            kept += 1
            torch.save(net.state_dict(), folder / f"weights-{kept}.pt")
    clock.stop()
    seconds = time.monotonic() - started
    torch.save(net.state_dict(), folder / WEIGHTS)
    facts = {
        "training_cpu_seconds": clock.spent_s,
        "training_seconds": seconds,
        "steps": clock.steps,
        "cpu_seconds_a_step": clock.spent_s / clock.steps,
        "batch_size": options.batch,
        "slices": len(data),
        "patch": [SIDE, SIDE],
        "spacing_mm": SPACING_MM,
        "precision": options.precision,
        "optimiser": f"AdamW, learning rate {LEARNING_RATE}, cosine to 0 over the budget",
        "parameters": sum(each.numel() for each in net.parameters()),
        "torch": torch.__version__,
    }
    write_json(options.output, facts)


@torch.inference_mode()
def predict(options: argparse.Namespace) -> None:
    """Predict a folder of images in their native grids, and write the seconds."""
    net = network().eval()
    net.load_state_dict(torch.load(options.model / options.weights, weights_only=True))
    read = loading((IMAGE,))
    undo = mt.Invertd(IMAGE, read, nearest_interp=False)
    infer = SlidingWindowInferer((SIDE, SIDE), sw_batch_size=8, overlap=0.5, mode="gaussian")
    images = sorted(options.images.glob("*_0000.nii.gz"))
    folder = options.output.parent / "labels"
    folder.mkdir(parents=True, exist_ok=True)
    watch, started = Stopwatch(net), time.perf_counter()
    for image in images:
        stack = read({IMAGE: image})[IMAGE]
        scores = infer(stack.as_tensor().movedim(-1, 0), net).softmax(1).movedim(0, -1)
        # Inverting needs the tensor that carries the transforms: scores in the image's place.
        answer = stack.clone()
        answer.set_array(scores)
        native = undo({IMAGE: answer})[IMAGE]
        file = nibabel.load(image)
        labels = native.argmax(0).numpy().astype(np.uint8)
        name = image.name.replace("_0000.nii.gz", ".nii.gz")
        nibabel.save(nibabel.Nifti1Image(labels, file.affine), folder / name)
    seconds = time.perf_counter() - started
    facts = {
        "volumes": len(images),
        "seconds_a_volume": seconds / len(images),
        "network_seconds_a_volume": watch.seconds / len(images),
        "mirrors": False,
    }
    write_json(options.output, facts)


def main() -> None:
    """One stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=["train", "predict"])
    parser.add_argument("--output", type=Path, required=True, help="JSON that tells it is done")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--raw", type=Path, help="the data set in nnU-Net's raw layout")
    parser.add_argument("--splits", type=Path, help="splits_final.json")
    parser.add_argument("--minutes", type=float, help="of CPU time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--weights", default=WEIGHTS, help="weights-K.pt: earlier ones")
    parser.add_argument("--images", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    {"train": train, "predict": predict}[options.stage](options)


if __name__ == "__main__":
    main()
