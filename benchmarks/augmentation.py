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

import importlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch import Tensor

from benchmarks import machine
from trainers.augmentation import augmentation_for
from trainers.torchvision_import import import_torchvision

STRENGTH, BATCH = 0.5, 512


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


def measure(transforms: Any, *, digits: bool, rounds: int) -> dict[str, float]:
    """Median views per second of each contender."""
    channels, size = (1, 28) if digits else (3, 32)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (BATCH, channels, size, size), dtype=torch.uint8)
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
    sides = {name: partial(machine.seconds, *timed) for name, timed in contenders.items()}
    return {name: BATCH / median for name, median in machine.in_turn(rounds, sides).items()}


def settle_allocator() -> None:
    """Allocate and free 28 MB once, as any training step does with its activations.

    glibc then keeps freed memory of that order. In a process that has never freed so much, it hands
    ours back to the system after each call and fetches it again page by page, which costs more than
    the work.
    """
    torch.zeros(7_000_000)


def main() -> None:
    arguments = machine.options(__doc__, "3 rounds instead of 15", threads=2).parse_args()

    import_torchvision()
    transforms = importlib.import_module("torchvision.transforms.v2")
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    settle_allocator()
    rounds = 3 if arguments.quick else 15
    where = machine.announce("torch", "torchvision")
    print(f"{arguments.threads} threads, batch {BATCH}, strength {STRENGTH}, {rounds} rounds")
    figures: dict[str, dict[str, float]] = {}
    for digits in (False, True):
        rates = measure(transforms, digits=digits, rounds=rounds)
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
