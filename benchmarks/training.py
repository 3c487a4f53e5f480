"""Training against its limit, the bare step, and against the plain way, pipeline by pipeline.

    python benchmarks/training.py --data-dir DIR [--plain PATH/plain_torch.py] [--threads 2]
        [--rounds 3] [--device cpu] [--quick] [--json FILE]

All at width 32, three convolutions and batches of 256, in the precision that the search would
choose here. The sides take turns; medians over the rounds are printed, in images a second, an image
counted once however many views it has.

- `bare`: forward and backward pass of the same method on one resident batch whose views are drawn
  already: no data, no augmentation, no optimizer.
- `epoch`: `trainers.loop.fit`, an epoch with everything but evaluation.
- `all`: a whole trial, from the epoch's and the measurements' seconds: as many epochs as the
  pipeline has, and the measurements at its rungs and at the end, on all training and validation
  images.
- `plain`: `plain_torch.py`, the way of the tutorials; its encoder and batch are the same, its
  precision is float32, its images come through PIL and a DataLoader.
- `MFLOP`: multiplications and additions of forward and backward pass, by torch's own counter;
  `share`: what the bare step reaches of the rate of a product of two matrices of 2,048 in the same
  precision.
- `probe` and `fit`: the linear probe, and the protocol's classifier, on frozen latents, encoding
  included; against the linear classifier of `plain_torch.py`, which runs the encoder in every
  epoch. All on as many images.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import machine
from benchmarks.machine import seconds
from benchmarks.record_curves import PIPELINES
from search.spaces import builders
from search.spaces.pipeline import Params, Pipeline, load_pipeline
from search.spaces.rungs import rungs
from trainers.classifiers import fit_classifier, fit_linear_classifier
from trainers.data import DATASETS, TrainingData
from trainers.evaluation import encode, evaluate
from trainers.loop import DeviceImages, fit
from trainers.precision import DTYPES, Precision, autocast, fastest_precision

WIDTH, DEPTH, BATCH = 32, 3, 256
PLAIN_IMAGES = 5000  # of an epoch of the plain way
STEPS = 16  # of the bare step, before each epoch and after it
MATRIX = 2048
QUICK_IMAGES = 1280  # the stand-in data has few more


@dataclass(frozen=True)
class Case:
    """The measured training: its parts, and its device."""

    pipeline: Pipeline
    params: Params
    data: TrainingData
    device: torch.device
    precision: Precision


# Seconds by round: of one bare step, of one image in an `epoch` and in the `plain` way, of all
# measurements of a trial, and of each fit of a classifier.
Account = defaultdict[str, list[float]]


def main(argv: Sequence[str] | None = None) -> None:
    """A line for each pipeline."""
    parser = machine.options(__doc__, "one round on few images", threads=2, rounds=3)
    machine.add_data(parser)
    parser.add_argument("--plain", type=Path, help="plain_torch.py")
    parser.add_argument("--pipeline", default="all", choices=["all", *PIPELINES])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    options = parser.parse_args(argv)
    if options.quick:
        options.rounds = 1
    machine.use_threads(options.threads)
    device = torch.device(options.device)
    precision = fastest_precision(device, threads=options.threads)
    where = machine.announce("torch")
    peak = matrix_rate(device, precision)
    names = PIPELINES if options.pipeline == "all" else (options.pipeline,)
    figures: dict[str, Any] = {"threads": options.threads, "precision": precision}
    figures |= {"rounds": options.rounds, "matrix_gflops": peak / 1e9}
    machine.show("all", figures)
    figures["pipelines"] = {}
    for name in names:
        rates = compare(name, options, device, precision)
        rates["share"] = rates["bare"] * rates["mflop"] * 1e6 / peak
        figures["pipelines"][name] = rates
        machine.show(name, rates)
    machine.keep(options.json, machine=where, figures=figures)


def compare(
    name: str, options: argparse.Namespace, device: torch.device, precision: Precision
) -> dict[str, Any]:
    """Rates of one pipeline, images a second; ratios by round; seconds of a classifier's fit."""
    pipeline = load_pipeline(name)
    params = {**pipeline.defaults, "width": WIDTH, "depth": DEPTH, "batch_size": BATCH}
    if "block" in params:
        params["block"] = "strided"
    few = QUICK_IMAGES if options.quick else None
    data = machine.load(pipeline.dataset, options.data_dir, few)
    case = Case(pipeline, params, data, device, precision)
    account: Account = defaultdict(list)
    for _ in range(options.rounds):
        before = bare_steps(case)
        whole_epoch(account, case)
        account["bare"].append(statistics.median([*before, *bare_steps(case)]))
        if options.plain:
            plain(account, name, options, case)
    middle = {key: statistics.median(values) for key, values in account.items()}
    images = len(data.train) // BATCH * BATCH

    def trial(epoch: float, measuring: float) -> float:
        """Images a second of a whole trial."""
        return pipeline.epochs * images / (pipeline.epochs * images * epoch + measuring)

    rates: dict[str, Any] = {
        "bare": BATCH / middle["bare"],
        "epoch": 1 / middle["epoch"],
        "all": trial(middle["epoch"], middle["measuring"]),
        "mflop": operations(case) / 1e6,
    }
    each = list(zip(*(account[key] for key in ("bare", "epoch", "measuring")), strict=True))
    rates["epoch_ratios"] = [bare / BATCH / epoch for bare, epoch, _ in each]
    rates["all_ratios"] = [trial(epoch, m) * bare / BATCH for bare, epoch, m in each]
    if options.plain:
        rates |= {"plain": 1 / middle["plain"]}
        both = zip(account["plain"], account["epoch"], strict=True)
        rates["plain_ratios"] = [plain / epoch for plain, epoch in both]
        parts = ("probe", "fit", "plain_fit")
        rates |= {part: middle[part] for part in parts if part in middle}
    return rates


def build(case: Case) -> Any:
    """The method with fresh weights, on the device."""
    torch.manual_seed(0)
    method = case.pipeline.method(case.params)
    assert isinstance(method, nn.Module)
    return method.to(case.device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def resident(case: Case) -> tuple[Any, Tensor, Tensor, torch.Generator]:
    """A method whose views are drawn, one batch, its labels, and a generator."""
    method = build(case)
    generator = torch.Generator(case.device).manual_seed(0)
    few = DeviceImages.load(case.data.train, case.device).first(BATCH)
    images = few.images.to(DTYPES[case.precision]).div_(255)
    two = hasattr(method, "projection")
    given = torch.cat([images, images]) if two else images
    views = method.augmentation(given, generator)
    method.augmentation = lambda images, generator: views
    method.train()
    return method, images, few.labels, generator


def bare_steps(case: Case) -> list[float]:
    """Seconds of forward and backward pass on one resident batch, of some steps."""
    method, images, labels, generator = resident(case)

    def step() -> None:
        with autocast(case.precision, case.device):
            loss = method.loss(images, labels, generator)
        loss.backward()

    taken = []
    for _ in range(STEPS):
        taken.append(seconds(step, device=case.device))
        method.zero_grad(set_to_none=True)
    return taken[2:]  # the first ones choose kernels


def whole_epoch(account: Account, case: Case) -> None:
    """An epoch after one that warms up, and a trial's measurements."""
    pipeline, device, precision = case.pipeline, case.device, case.precision
    train, valid = (DeviceImages.load(part, device) for part in (case.data.train, case.data.valid))
    method = build(case)
    settings = builders.optimisation(case.params)
    for images in (train.first(4 * BATCH), train):
        [result] = fit(method, images, settings, epochs=1, seed=0, precision=precision)
    account["epoch"].append(1 / result.images_per_second)
    classes = len(DATASETS[pipeline.dataset].classes)
    measure = partial(evaluate, method, train, valid, classes=classes, seed=0, precision=precision)
    # A method with a classifier of its own is measured after each epoch.
    jointly = method.classifier is not None
    before = pipeline.epochs - 1 if jointly else len(rungs(pipeline.epochs))
    end, rung = (
        seconds(partial(measure, accuracy_only=only), device=device) for only in (False, True)
    )
    account["measuring"].append(end + before * rung)


def plain(account: Account, name: str, options: argparse.Namespace, case: Case) -> None:
    """The plain way in a process of its own; then our classifier on as many images."""
    images = 512 if options.quick else PLAIN_IMAGES
    command = [sys.executable, str(options.plain), "--pipeline", name, "--epochs", "1"]
    command += ["--data-dir", str(options.data_dir), "--threads", str(options.threads)]
    command += ["--width", str(WIDTH), "--train-size", str(images)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    timings = json.loads(done.stdout.splitlines()[-1])
    account["plain"].append(1 / timings["images_per_second"])
    account["plain_fit"].append(timings["probe_seconds"])
    device, precision = case.device, case.precision
    method = build(case)
    train = DeviceImages.load(case.data.train, device).first(images)
    valid = DeviceImages.load(case.data.valid, device)
    if method.classifier is not None:
        return
    coded: list[tuple[Tensor, Tensor]] = []

    def code() -> None:
        for part in (train, valid):
            coded.append((encode(method.encoder, part, precision=precision), part.labels))

    encoding = seconds(code, device=device)
    learned, held_out = coded
    fits: dict[str, Callable[[], Any]] = {
        "probe": lambda: fit_linear_classifier(*learned, *held_out, classes=10),
        "fit": lambda: fit_classifier(*learned, classes=10, seed=0, precision=precision),
    }
    for name, work in fits.items():
        account[name].append(encoding + seconds(work, device=device))


def operations(case: Case) -> float:
    """Multiplications and additions of forward and backward pass, for one image."""
    method, images, labels, generator = resident(replace(case, precision="float32"))
    with FlopCounterMode(display=False) as counter:
        method.loss(images, labels, generator).backward()
    return counter.get_total_flops() / BATCH


def matrix_rate(device: torch.device, precision: Precision) -> float:
    """Operations a second of a large matrix product, the best of a few."""
    left = torch.randn(MATRIX, MATRIX, device=device, dtype=DTYPES[precision])
    return 2 * MATRIX**3 / min(seconds(lambda: left @ left, device=device) for _ in range(6))


if __name__ == "__main__":
    main()
