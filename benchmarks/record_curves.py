"""Learning curves of many configurations, recorded once, to replay searches against.

    python benchmarks/record_curves.py --data-dir DIR [--pipeline all] [--folder FOLDER]

Of each pipeline: the defaults and 59 configurations drawn at random from its space, then 48 where a
search goes (TPE after all those before), then every ninth of these once more with another seed,
which says how much of a difference is luck. Each is trained for all of its epochs with nobody
stopping it, and measured after every epoch. A line of `benchmarks/curves/<pipeline>.jsonl` holds
its parameters, `valid/accuracy` by epoch, the seconds of one thread that an epoch and a measurement
took, and what was measured at its end, with and without labels. It goes on where it was broken off.
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
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import machine
from search.files import durable

CHANCE = 0.1  # the accuracy of a diverged configuration
CURVES = machine.ROOT / "benchmarks" / "curves"
PIPELINES = tuple(
    f"{data}_{method}"
    for data in ("mnist", "cifar")
    for method in ("autoencoder", "supervised", "contrastive")
)
TRAIN, VALID = 6000, 2000
METRIC = "valid/accuracy"
AT_END = ("valid/linear_accuracy", "valid/knn_accuracy", "valid/mae")
RANDOM, SEARCHED = 60, 48  # configurations, the defaults among the random ones
REPEATED = 9  # one in so many is trained with a second seed: 120 curves in all
WORKERS = 2  # a thread each


def main(argv: Sequence[str] | None = None) -> None:
    """Record what is missing, in turn over the pipelines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--pipeline", default="all", choices=["all", *PIPELINES])
    parser.add_argument("--folder", type=Path, default=CURVES)
    options = parser.parse_args(argv)
    names = PIPELINES if options.pipeline == "all" else (options.pipeline,)
    running: dict[str, Future[dict[str, Any]]] = {}

    def keep(name: str) -> None:
        line = running.pop(name).result()
        file = options.folder / f"{name}.jsonl"
        lines = map(json.dumps, [*read(file), line])  # without one that was cut off
        durable.write(file, "".join(f"{each}\n" for each in lines))
        best = max(line["values"], default=float("nan"))
        print(f"{name} {line['number']}: {best:.4f}", flush=True)

    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn")) as pool:
        left = True
        while left:
            left = False
            for name in names:
                if name in running:  # what comes next depends on how this one ended
                    keep(name)
                lines = read(options.folder / f"{name}.jsonl")
                if (following := propose(name, lines)) is None:
                    continue
                left = True
                while len(running) >= WORKERS:
                    keep(next(iter(running)))
                number, params = following
                running[name] = pool.submit(record, name, number, params, options.data_dir)
        for name in list(running):
            keep(name)


def propose(pipeline: str, lines: Sequence[dict[str, Any]]) -> tuple[int, dict[str, Any]] | None:
    """(number, parameters) of the configuration to record after `lines`, None after the last."""
    import optuna

    from search.spaces.pipeline import load_pipeline
    from search.study.samplers import build_sampler

    number = len(lines)
    if number >= RANDOM + SEARCHED:
        again = (number - RANDOM - SEARCHED) * REPEATED
        return (number, lines[again]["params"]) if again < RANDOM + SEARCHED else None
    definition = load_pipeline(pipeline)
    if number == 0:
        return 0, dict(definition.defaults)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    name = "random" if number < RANDOM else "tpe"
    study = optuna.create_study(
        direction="maximize", sampler=build_sampler(name, seed=0, trials_so_far=number)
    )
    space = dict(definition.space)
    for line in lines:
        study.add_trial(
            optuna.trial.create_trial(
                params=line["params"], distributions=space, value=final_value(line)
            )
        )
    return number, study.ask(space).params


def final_value(line: dict[str, Any]) -> float:
    """Accuracy after the last epoch; of a diverged configuration, chance."""
    return line["values"][-1] if len(line["values"]) == line["epochs"] else CHANCE


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
    from trainers.augmentation import augmentation_for
    from trainers.evaluation import JUDGING, encode, information
    from trainers.measures.structure import rankme
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
    images = replace(images, valid=images.valid.first(VALID))
    trial = Trial(config, images)
    values, training, measuring = [], 0.0, 0.0
    at_end: dict[str, float] = {}
    began = time.process_time()  # other work on the machine is not in it
    try:
        for metrics in trial.epochs():
            values.append(round(metrics[METRIC], 4))
            training += metrics["time/epoch_seconds"]
            measuring += metrics["time/evaluation_seconds"]
    except ArithmeticError:
        pass
    each = (time.process_time() - began) / max(1, len(values))
    share = training / max(training + measuring, 1e-9)
    if len(values) == definition.epochs:
        at_end = {name: round(metrics[name], 4) for name in AT_END if name in metrics}
        encoder, spec = trial.method.encoder, images.spec
        views = augmentation_for(digits=spec.glyphs, flips=spec.flips, strength=JUDGING)
        at_end["rankme"] = round(rankme(encode(encoder, images.valid)), 3)
        at_end["view_information"] = round(information(encoder, images.valid, views), 3)
    return {
        "number": number,
        "params": params,
        "epochs": definition.epochs,
        "values": values,
        "epoch_seconds": round(each * share, 4),
        "measuring_seconds": round(each * (1 - share), 4),
        "end": at_end,
    }


if __name__ == "__main__":
    main()
