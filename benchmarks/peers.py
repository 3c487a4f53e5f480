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
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks import machine
from benchmarks.commands import tune

NAME = "cifar_contrastive"
SETTINGS: dict[str, Any] = {"width": 32, "depth": 3, "block": "strided", "batch_size": 256}
IMAGES = 5000
BEST = "select max(value) from metrics where key = 'valid/accuracy'"


def main(argv: Sequence[str] | None = None) -> None:
    """A line for each peer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", help="of the real images; the stand-in ones without it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--alone", metavar="FILE", help=argparse.SUPPRESS)
    machine.add_options(parser, "one round of two short trials")
    options = parser.parse_args(argv)
    if options.data_dir:
        options.data_dir = str(Path(options.data_dir).resolve())
    if options.alone:  # the process that `optuna_alone` starts
        optimise(options, Path(options.alone))
        return
    if options.quick:
        options.rounds, options.trials, options.epochs = 1, 2, 1
    where = machine.describe("torch", "ray", "optuna", "mlflow")
    if find_spec("lightly"):
        where += f", lightly {version('lightly')}"
    print(where)
    figures: dict[str, Any] = {"rounds": options.rounds, "threads": options.threads}
    if find_spec("lightly"):
        figures["lightly"] = training(options)
    else:
        print("lightly is not installed: pip install -e '.[bench]'")
    figures["optuna"] = searches(options)
    machine.keep(options.json, machine=where, figures=figures)


def training(options: argparse.Namespace) -> dict[str, float]:
    """Images a second of lightly's way and of ours."""
    theirs, ours = [], []
    for _ in range(options.rounds):
        theirs.append(with_lightly(options))
        ours.append(with_fit(options))
    rates = {"lightly": statistics.median(theirs), "ours": statistics.median(ours)}
    print(
        f"lightly {rates['lightly']:.0f} images/s, ours {rates['ours']:.0f}, "
        f"ratio {rates['ours'] / rates['lightly']:.1f}; medians of {options.rounds}",
        flush=True,
    )
    return rates


def _prepared(options: argparse.Namespace) -> tuple[Any, dict[str, Any], Any]:
    """(pipeline, parameters, training data)."""
    import torch

    from search.spaces.pipeline import load_pipeline
    from trainers.data import load_training

    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    pipeline = load_pipeline(NAME)
    data = load_training(
        pipeline.dataset,
        data_dir=options.data_dir,
        mini=not options.data_dir,
        train_size=_images(options),
    )
    return pipeline, {**pipeline.defaults, **SETTINGS}, data


def _images(options: argparse.Namespace) -> int:
    return 512 if options.quick else IMAGES if options.data_dir else 1280


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
    theirs, ours = [], []
    for _ in range(options.rounds):
        theirs.append(optuna_alone(options))
        ours.append(our_search(options))
    medians = {}
    for name, runs in (("optuna", theirs), ("ours", ours)):
        seconds, accuracy = zip(*runs, strict=True)
        medians[name] = statistics.median(seconds)
        medians[f"{name}_accuracy"] = statistics.median(accuracy)
    print(
        f"optuna alone {medians['optuna']:.1f} s, ours {medians['ours']:.1f} s, ratio "
        f"{medians['optuna'] / medians['ours']:.2f}; best accuracy "
        f"{medians['optuna_accuracy']:.4f} and {medians['ours_accuracy']:.4f}; medians of "
        f"{options.rounds}"
    )
    return medians


def optuna_alone(options: argparse.Namespace) -> tuple[float, float]:
    """(seconds, best accuracy) of a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "best.json"
        command = [sys.executable, __file__, "--alone", str(file)]
        command += ["--trials", str(options.trials), "--epochs", str(options.epochs)]
        command += ["--threads", str(options.threads), *(["--quick"] if options.quick else [])]
        command += ["--data-dir", options.data_dir] if options.data_dir else []
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, text=True)
        return time.perf_counter() - began, json.loads(file.read_bytes())


def optimise(options: argparse.Namespace, file: Path) -> None:
    """`study.optimize` around this project's trials; writes the best accuracy to `file`."""
    import optuna
    import torch

    from search.spaces.pipeline import METRIC
    from search.spaces.rungs import REDUCTION, rungs
    from search.trials.config import TrialConfig
    from search.trials.trial import Trial, TrialImages
    from trainers.precision import fastest_precision

    pipeline, _, data = _prepared(options)
    images = TrialImages.load(data, "cpu")
    precision = fastest_precision(torch.device("cpu"), threads=options.threads)
    compared = rungs(options.epochs, pipeline.grace)

    def objective(trial: optuna.Trial) -> float:
        params = {
            name: SETTINGS[name] if name in SETTINGS else suggest(trial, name, distribution)
            for name, distribution in pipeline.space.items()
        }
        config = TrialConfig(
            trial_id=str(trial.number),
            number=trial.number,
            study="peer",
            pipeline=NAME,
            params=params,
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
        min_resource=compared[0] if compared else 1, reduction_factor=REDUCTION
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
    words += ["--train-size", str(_images(options))]
    words += [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        tune(words, folder)
        seconds = time.perf_counter() - began
        with sqlite3.connect(Path(folder) / "mlruns" / "mlflow.db") as store:
            return seconds, store.execute(BEST).fetchone()[0]


if __name__ == "__main__":
    main()
