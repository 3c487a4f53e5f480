"""How many views a second the batched augmentation makes, against torchvision v2 image by image.

    python benchmarks/augmentation.py [--threads 2] [--quick]

Both sides draw the same operations at the same strength, once per image: for natural images resized
crop, flip, colour jitter and grayscale on 3 x 32 x 32, for digits rotation, shear, shift and scale
on 1 x 28 x 28. Ours starts from a batch in the named type; torchvision from uint8 and from float32
images, the faster counts. (Given a whole batch, torchvision draws once for all of it: that is not
the same task.) The sides take turns, so that other work on the machine slows both; the medians over
the rounds are printed.

Natural images differ in hue (a turn in YIQ here, in HSV there) and in clamping; see
trainers/augmentation/colour.py.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import torch
from torch import Tensor

from benchmarks import machine
from trainers.augmentation import augmentation_for
from trainers.torchvision_import import import_torchvision

STRENGTH = 0.5


def torchvision_policy(transforms: Any, *, digits: bool, size: int) -> Callable[[Tensor], Tensor]:
    """The operations of `Digits(STRENGTH)` or `NaturalImages(STRENGTH)`, for one image."""
    s = STRENGTH
    policy: Callable[[Tensor], Tensor]
    if digits:
        policy = transforms.RandomAffine(
            degrees=25 * s,
            translate=(0.15 * s, 0.15 * s),
            scale=(0.8**s, 1.25**s),
            shear=10 * s,
            interpolation=transforms.InterpolationMode.BILINEAR,
        )
    else:
        jitter = transforms.ColorJitter(0.8 * s, 0.8 * s, 0.8 * s, 0.2 * s)
        policy = transforms.Compose(
            [
                transforms.RandomResizedCrop(
                    size, scale=(1 - 0.8 * s, 1), ratio=((3 / 4) ** s, (4 / 3) ** s)
                ),
                transforms.RandomHorizontalFlip(min(0.5, s)),
                transforms.RandomApply([jitter], 0.8),
                transforms.RandomGrayscale(min(0.2, 0.4 * s)),
            ]
        )
    return policy


def image_by_image(policy: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    return torch.stack([policy(image) for image in images])


def seconds(function: Callable[[], object], repeats: int) -> float:
    """Seconds for one call, the mean of `repeats`."""
    start = time.perf_counter()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - start) / repeats


def measure(transforms: Any, *, digits: bool, batch: int, rounds: int) -> dict[str, float]:
    """Median views per second of each contender."""
    channels, size = (1, 28) if digits else (3, 32)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (batch, channels, size, size), dtype=torch.uint8)
    images = pixels.float() / 255
    halves = images.bfloat16()
    ours = augmentation_for(digits=digits, strength=STRENGTH)
    theirs = torchvision_policy(transforms, digits=digits, size=size)
    contenders: dict[str, tuple[Callable[[], object], int]] = {
        "ours, float32": (lambda: ours(images, generator), 10),
        "ours, bfloat16": (lambda: ours(halves, generator), 10),
        "torchvision, uint8": (lambda: image_by_image(theirs, pixels), 1),
        "torchvision, float32": (lambda: image_by_image(theirs, images), 1),
    }
    for function, _ in contenders.values():
        function()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (function, repeats) in contenders.items():
            times[name].append(seconds(function, repeats))
    return {name: batch / statistics.median(values) for name, values in times.items()}


def settle_allocator() -> None:
    """Allocate and free 28 MB once, as any training step does with its activations.

    glibc then keeps freed memory of that order. In a process that has never freed so much, it hands
    ours back to the system after each call and fetches it again page by page, which costs more than
    the work.
    """
    torch.zeros(7_000_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=2, help="threads for both sides (default 2)")
    parser.add_argument("--batch", type=int, default=512, help="images per batch (default 512)")
    machine.add_options(parser, "3 rounds instead of 15")
    arguments = parser.parse_args()
    if arguments.threads < 1 or arguments.batch < 1:
        parser.error(
            f"--threads {arguments.threads} --batch {arguments.batch}: both must be 1 or more"
        )

    import_torchvision()
    transforms = importlib.import_module("torchvision.transforms.v2")
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    settle_allocator()
    rounds = 3 if arguments.quick else 15
    where = machine.describe("torch", "torchvision")
    print(f"{where}; {arguments.threads} threads")
    print(
        f"batch {arguments.batch}, strength {STRENGTH}, medians of n = {rounds} alternating rounds"
    )
    figures: dict[str, dict[str, float]] = {}
    for digits in (False, True):
        rates = measure(transforms, digits=digits, batch=arguments.batch, rounds=rounds)
        best = max(rate for name, rate in rates.items() if name.startswith("torchvision"))
        figures["digits" if digits else "natural"] = rates
        print("digits, 1 x 28 x 28" if digits else "natural images, 3 x 32 x 32")
        for name, rate in rates.items():
            print(f"  {name:<22} {rate:>10,.0f} views/s {rate / best:>7.1f} x")
    threads = {"threads": arguments.threads, "rounds": rounds}
    machine.keep(arguments.json, machine=where, figures={**threads, **figures})


if __name__ == "__main__":
    with torch.no_grad():
        main()
