"""Learning curves of random configurations, recorded once, to replay searches against.

    python benchmarks/record_curves.py --data-dir DIR [--pipeline all] [--configurations 50]

Each configuration is drawn at random from its pipeline's space (the first is the defaults),
trained for all of its epochs with nobody stopping it, and measured after every epoch. A line of
`benchmarks/curves/<pipeline>.jsonl` holds its parameters, `valid/accuracy` by epoch, the seconds of
one thread that an epoch and a measurement took. It goes on where it was broken off.
`replay_searches.py` reads the files.

Sizes are reduced: 6,000 training and 2,000 validation images. So these curves say how
configurations compare and when that shows, not how good a pipeline is.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import machine

CURVES = machine.ROOT / "benchmarks" / "curves"
PIPELINES = tuple(
    f"{data}_{method}"
    for data in ("mnist", "cifar")
    for method in ("autoencoder", "supervised", "contrastive")
)
TRAIN, VALID = 6000, 2000
METRIC = "valid/accuracy"


def main(argv: Sequence[str] | None = None) -> None:
    """Record what is missing, in turn over the pipelines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--pipeline", default="all", choices=["all", *PIPELINES])
    parser.add_argument("--configurations", type=int, default=50)
    options = parser.parse_args(argv)
    chosen = PIPELINES if options.pipeline == "all" else (options.pipeline,)
    jobs = list(missing(chosen, options.configurations, CURVES))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:  # a thread each
        running = [pool.submit(record, *job, options.data_dir) for job in jobs]
        for (pipeline, number, _), future in zip(jobs, running, strict=True):
            line = future.result()
            with (CURVES / f"{pipeline}.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            best = max(line["values"], default=float("nan"))
            print(f"{pipeline} {number}: {best:.4f}", flush=True)


def missing(
    pipelines: Sequence[str], configurations: int, folder: Path
) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """(pipeline, number, parameters) of all curves to record, one of each pipeline in turn."""
    drawn = {name: draw(name, configurations) for name in pipelines}
    done = {name: {line["number"] for line in read(folder / f"{name}.jsonl")} for name in pipelines}
    for number in range(configurations):
        for name in pipelines:
            if number not in done[name]:
                yield name, number, drawn[name][number]


def draw(pipeline: str, configurations: int) -> list[dict[str, Any]]:
    """The defaults, then random points of the space; the first are the same however many."""
    import optuna

    from search.spaces.pipeline import load_pipeline

    definition = load_pipeline(pipeline)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    parameter_sets = [dict(definition.defaults)]
    while len(parameter_sets) < configurations:
        parameter_sets.append(study.ask(dict(definition.space)).params)
    return parameter_sets


def read(file: Path) -> list[dict[str, Any]]:
    """The lines of a recording; a last one that was cut off is left out."""
    if not file.exists():
        return []
    curves = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            curves.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return curves


def record(pipeline: str, number: int, params: dict[str, Any], data_dir: str) -> dict[str, Any]:
    """Train one configuration on one thread; a diverged one has fewer values than epochs."""
    import torch

    from search.spaces.pipeline import load_pipeline
    from search.trials.trial import Trial, TrialImages
    from trainers.precision import fastest_precision

    machine.use_threads(1)
    definition = load_pipeline(pipeline)
    images = TrialImages.load(machine.load(definition.dataset, data_dir, TRAIN), "cpu")
    config = machine.trial_config(
        pipeline,
        params,
        seed=number,
        epochs=definition.epochs,
        rungs=tuple(range(1, definition.epochs + 1)),
        precision=fastest_precision(torch.device("cpu"), threads=1),
    )
    values, training, measuring = [], 0.0, 0.0
    began = time.process_time()  # other work on the machine is not in it
    try:
        for metrics in Trial(config, replace(images, valid=images.valid.first(VALID))).epochs():
            values.append(round(metrics[METRIC], 4))
            training += metrics["time/epoch_seconds"]
            measuring += metrics["time/evaluation_seconds"]
    except ArithmeticError:
        pass
    each = (time.process_time() - began) / max(1, len(values))
    share = training / max(training + measuring, 1e-9)
    return {
        "number": number,
        "params": params,
        "epochs": definition.epochs,
        "values": values,
        "epoch_seconds": round(each * share, 4),
        "measuring_seconds": round(each * (1 - share), 4),
    }


if __name__ == "__main__":
    main()
