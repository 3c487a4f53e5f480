"""Beside other people's libraries: lightly for contrastive training, Optuna alone for the search.

    pip install -e '.[bench]'
    python benchmarks/peers.py [--data-dir DIR] [--rounds 3] [--threads 2] [--quick]

- `lightly`: its `SimCLRTransform` behind a DataLoader and its `NTXentLoss`, in the loop that its
  guide has (float32, Adam), around this project's encoder and projection head; against an epoch of
  `trainers.loop.fit`. CIFAR-10, width 32, three convolutions, batches of 256, images a second, an
  image counted once.
- `optuna`: `study.optimize` in one process with as many threads, TPE and its successive-halving
  pruner (reduction and rungs as here), around this project's own trials, study in SQLite; against
  `search/tune.py`, which writes every trial to MLflow besides. Seconds from process start to
  process end for the same number of trials, and the best accuracy of each.

The sides take turns; ratios of medians. Run it with nothing else on the machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks import machine
from benchmarks.commands import rows, settings, tune

NAME = "cifar_contrastive"
SETTINGS: dict[str, Any] = {"width": 32, "depth": 3, "block": "strided", "batch_size": 256}
IMAGES = 5000
BEST = "select max(value) from metrics where key = 'valid/accuracy'"


def main(argv: Sequence[str] | None = None) -> None:
    """A line for each peer."""
    parser = machine.options(__doc__, "one round of two short trials", rounds=3, threads=2)
    machine.add_data(parser)
    parser.add_argument("--alone", metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    options.trials, options.epochs = (2, 1) if options.quick else (16, 4)
    options.images = 512 if options.quick else IMAGES if options.data_dir else 1280
    if options.alone:  # the process that `optuna_alone` starts
        optimise(options, Path(options.alone))
        return
    if options.quick:
        options.rounds = 1
    lightly = ["lightly"] if find_spec("lightly") else []
    where = machine.announce("torch", "ray", "optuna", "mlflow", *lightly)
    figures: dict[str, Any] = {"rounds": options.rounds, "threads": options.threads}
    if lightly:
        sides = {"lightly": partial(with_lightly, options), "ours": partial(with_fit, options)}
        figures["lightly"] = machine.in_turn(options.rounds, sides)
        machine.show("images a second", figures["lightly"])
    else:
        print("lightly is not installed: pip install -e '.[bench]'")
    figures["optuna"] = searches(options)
    machine.keep(options.json, machine=where, figures=figures)


def _prepared(options: argparse.Namespace) -> tuple[Any, dict[str, Any], Any]:
    """(pipeline, parameters, training data)."""
    from search.spaces.pipeline import load_pipeline

    machine.use_threads(options.threads)
    pipeline = load_pipeline(NAME)
    data = machine.load(pipeline.dataset, options.data_dir, options.images)
    return pipeline, {**pipeline.defaults, **SETTINGS}, data


def with_lightly(options: argparse.Namespace) -> float:
    """An epoch as lightly's guide to SimCLR has it."""
    from trainers.torchvision_import import import_torchvision

    import_torchvision()
    import torch
    from lightly.loss import NTXentLoss
    from lightly.transforms import SimCLRTransform
    from PIL import Image

    pipeline, params, data = _prepared(options)
    pictures = [Image.fromarray(image) for image in data.train.images.transpose(0, 2, 3, 1)]
    transform = SimCLRTransform(input_size=32, gaussian_blur=0.0)

    class Views(torch.utils.data.Dataset[Any]):
        def __len__(self) -> int:
            return len(pictures)

        def __getitem__(self, index: int) -> Any:
            return transform(pictures[index])

    torch.manual_seed(0)
    method: Any = pipeline.method(params)
    optimizer = torch.optim.Adam(method.parameters(), lr=params["lr"])
    criterion = NTXentLoss(temperature=params["temperature"])
    batch = params["batch_size"]
    loader = torch.utils.data.DataLoader(Views(), batch_size=batch, shuffle=True, drop_last=True)
    began = time.perf_counter()
    for first, second in loader:
        left, right = (method.projection(method.encoder(views)) for views in (first, second))
        loss = criterion(left, right)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return len(loader) * batch / (time.perf_counter() - began)


def with_fit(options: argparse.Namespace) -> float:
    """An epoch of this project's loop, after one that warms up."""
    import torch

    from search.spaces import builders
    from trainers.loop import DeviceImages, fit
    from trainers.precision import fastest_precision

    pipeline, params, data = _prepared(options)
    device = torch.device("cpu")
    train = DeviceImages.load(data.train, device)
    torch.manual_seed(0)
    method: Any = pipeline.method(params)
    method.to(memory_format=torch.channels_last)
    precision = fastest_precision(device, threads=options.threads)
    course = fit(
        method, train, builders.optimisation(params), epochs=2, seed=0, precision=precision
    )
    return [result.images_per_second for result in course][-1]


def searches(options: argparse.Namespace) -> dict[str, float]:
    """Seconds and best accuracy of a search by Optuna alone and by ours."""
    runs = [(optuna_alone(options), our_search(options)) for _ in range(options.rounds)]
    medians: dict[str, float] = {}
    for name, each in zip(("optuna", "ours"), zip(*runs, strict=True), strict=True):
        medians[name], medians[f"{name}_accuracy"] = np.median(each, axis=0).tolist()
    machine.show("seconds and best accuracy", medians)
    return medians


def optuna_alone(options: argparse.Namespace) -> tuple[float, float]:
    """(seconds, best accuracy) of a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "best.json"
        command = [sys.executable, __file__, "--alone", str(file), *["--quick"] * options.quick]
        command += ["--threads", str(options.threads)]
        command += ["--data-dir", options.data_dir] if options.data_dir else []
        run = partial(subprocess.run, command, check=True, capture_output=True, text=True)
        return machine.seconds(run), json.loads(file.read_bytes())


def optimise(options: argparse.Namespace, file: Path) -> None:
    """`study.optimize` around this project's trials; writes the best accuracy to `file`."""
    import optuna
    import torch

    from search.spaces.pipeline import METRIC
    from search.spaces.rungs import rungs
    from search.trials.trial import Trial, TrialImages
    from trainers.precision import fastest_precision

    pipeline, _, data = _prepared(options)
    images = TrialImages.load(data, "cpu")
    precision = fastest_precision(torch.device("cpu"), threads=options.threads)
    compared = rungs(options.epochs)

    def objective(trial: optuna.Trial) -> float:
        params = {
            name: SETTINGS[name] if name in SETTINGS else suggest(trial, name, distribution)
            for name, distribution in pipeline.space.items()
        }
        config = machine.trial_config(
            NAME,
            params,
            seed=trial.number,
            epochs=options.epochs,
            rungs=compared,
            precision=precision,
            threads=options.threads,
        )
        for metrics in Trial(config, images).epochs():
            if METRIC in metrics:
                trial.report(metrics[METRIC], int(metrics["epoch"]))
                if trial.should_prune():
                    raise optuna.TrialPruned
        return float(metrics[METRIC])

    pruner = optuna.pruners.SuccessiveHalvingPruner(
        min_resource=compared[0] if compared else 1, reduction_factor=3
    )
    study = optuna.create_study(
        direction="maximize", pruner=pruner, storage=f"sqlite:///{file.parent}/study.db"
    )
    study.enqueue_trial({n: v for n, v in pipeline.defaults.items() if n not in SETTINGS})
    study.optimize(objective, n_trials=options.trials, catch=(ArithmeticError,))
    file.write_text(json.dumps(study.best_value), encoding="utf-8")


def suggest(trial: Any, name: str, distribution: Any) -> Any:
    """Optuna's proposal for one parameter."""
    if hasattr(distribution, "choices"):
        return trial.suggest_categorical(name, distribution.choices)
    draw = trial.suggest_int if isinstance(distribution.low, int) else trial.suggest_float
    return draw(
        name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
    )


def our_search(options: argparse.Namespace) -> tuple[float, float]:
    """(seconds, best accuracy) of `search/tune.py`."""
    words = ["--pipeline", NAME, "--trials", str(options.trials), "--epochs", str(options.epochs)]
    words += ["--data-dir", options.data_dir] if options.data_dir else ["--data", "mini"]
    words += ["--train-size", str(options.images)]
    words += settings([f"{name}={value}" for name, value in SETTINGS.items()])
    with tempfile.TemporaryDirectory() as folder:
        seconds = machine.seconds(partial(tune, words, folder))
        return seconds, rows(folder, BEST)[0][0]


if __name__ == "__main__":
    main()
