"""Real searches by the plain pair and by ours, in turn, in equal wall time.

    python benchmarks/real_searches.py [--data-dir DIR] [--pipeline cifar_supervised] [--seeds 3]

The plain pair is Ray's `OptunaSearch` and `ASHAScheduler` with their defaults, as the guides join
them, measured after every epoch. It proposes and stops; spaces, trainings, number format and reused
processes are this project's, so that searching alone is compared. Ours is `search/tune.py` as a
user calls it, in a process of its own, whose start counts. A search may train 15,000 images for so
many minutes, two trials at a time; what it found is the best accuracy of a trial that trained all
its epochs. Prints that of each, and how long ours took to be as good as the other's end.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import machine
from benchmarks.commands import rows, tune
from search.cli.output import output_to
from search.cluster import ray_session
from search.spaces.pipeline import METRIC, load_pipeline

ENDLESS = 10_000  # trials of a search that only time ends
MEASURED = f"""
select m.timestamp / 1000.0, m.step, m.value from metrics m
join tags t on t.run_uuid = m.run_uuid and t.key = 'kind' and t.value = 'trial'
where m.key = '{METRIC}'
"""


class Measurement(NamedTuple):
    """An accuracy after an epoch, and when it was known."""

    at: float
    epoch: int
    value: float


def main(argv: Sequence[str] | None = None) -> None:
    """A line for each seed, then the means."""
    quick = "half a minute of one seed on 600 images"
    parser = machine.options(__doc__, quick, seeds=3, minutes=10, images=15_000)
    parser.add_argument("--pipeline", action="append", help="this one; may be given again")
    machine.add_data(parser)
    options = parser.parse_args(argv)
    options.seconds = 60.0 * options.minutes
    if options.quick:
        options.seeds, options.seconds, options.images = 1, 30.0, 600
    ray_session.prepare_environment()  # before Ray is imported
    where = machine.announce("torch", "ray", "optuna", "mlflow")
    names = options.pipeline or ["cifar_supervised", "cifar_contrastive"]
    figures: dict[str, Any] = {"minutes": options.seconds / 60, "images": options.images}
    figures["pipelines"] = {name: compare(name, options) for name in names}
    machine.keep(options.json, machine=where, figures=figures)


def compare(name: str, options: argparse.Namespace) -> dict[str, list[float]]:
    """Of each seed: the best of both, the trials that ended, seconds until ours was as good."""
    found: dict[str, list[float]] = {}
    epochs = load_pipeline(name).epochs
    for seed in range(options.seeds):
        began = time.time()
        plain = ends(plain_pair(name, seed, options), began, epochs)
        began = time.time()
        own = ends(ours(name, seed, options), began, epochs)
        goal = max((end.value for end in plain), default=0.0)
        as_good = [end.at for end in own if end.value >= goal]
        one = {
            "plain": goal,
            "ours": max((end.value for end in own), default=0.0),
            "plain_ended": len(plain),
            "ours_ended": len(own),
            "as_good_after": min(as_good, default=math.nan),
        }
        machine.show(f"{name}, seed {seed}", one)
        for key, value in one.items():
            found.setdefault(key, []).append(value)
    machine.show(f"{name}, means", {key: statistics.fmean(each) for key, each in found.items()})
    return found


def ends(measured: Sequence[Measurement], began: float, epochs: int) -> list[Measurement]:
    """The measurements after a last epoch, in seconds from the beginning."""
    if not measured:
        sys.exit("a search has measured nothing")
    return [one._replace(at=one.at - began) for one in measured if one.epoch == epochs]


def ours(name: str, seed: int, options: argparse.Namespace) -> list[Measurement]:
    """What the command measures."""
    words = ["--pipeline", name, "--seed", str(seed), "--train-size", str(options.images)]
    words += ["--time-budget", f"{options.seconds}s", "--trials", str(ENDLESS), "--quiet"]
    words += ["--data-dir", options.data_dir] if options.data_dir else ["--data", "mini"]
    with tempfile.TemporaryDirectory() as folder:
        tune(words, folder)
        return [Measurement(*row) for row in rows(folder, MEASURED)]


def plain_pair(name: str, seed: int, options: argparse.Namespace) -> list[Measurement]:
    """What the plain pair measures."""
    import optuna
    import torch
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    from search.cluster import tuner
    from search.cluster.resources import Resources, cpu_count
    from search.cluster.worker import TrialWorker
    from search.trials.outcome import METRICS
    from trainers.precision import fastest_precision

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    began = time.monotonic()
    definition = load_pipeline(name)
    data = machine.load(definition.dataset, options.data_dir, options.images)
    precision = fastest_precision(torch.device("cpu"), threads=1)
    resources = Resources(concurrency=cpu_count(), precision=precision)
    metric, epochs = METRICS + METRIC, definition.epochs
    measured: dict[tuple[str, int], Measurement] = {}  # Ray may report an epoch twice

    class Noted(OptunaSearch):
        def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
            self._note(trial_id, result)
            super().on_trial_result(trial_id, result)

        def on_trial_complete(
            self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
        ) -> None:
            self._note(trial_id, result or {})
            super().on_trial_complete(trial_id, result, error)

        def _note(self, trial_id: str, result: dict[str, Any]) -> None:
            if metric in result:
                now = Measurement(time.time(), result["epoch"], result[metric])
                measured.setdefault((trial_id, now.epoch), now)

    class Worker(TrialWorker):
        def setup(  # type: ignore[override]
            self, config: dict[str, Any], data: Any, folder: str, worth: float
        ) -> None:
            super().setup(self._whole(config), data, folder, worth)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            return super().reset_config(self._whole(new_config))

        def _whole(self, params: dict[str, Any]) -> dict[str, Any]:
            config = machine.trial_config(
                name,
                params,
                trial_id=self.trial_id,
                seed=zlib.crc32(repr(sorted(params.items())).encode()) >> 1,
                epochs=epochs,
                rungs=tuple(range(1, epochs)),
                precision=precision,
            )
            return config.to_json()

    searcher: Any = Noted(space=dict(definition.space), metric=metric, mode="max", seed=seed)
    asha = ASHAScheduler(metric=metric, mode="max", time_attr="epoch", max_t=epochs)
    with tempfile.TemporaryDirectory() as folder:
        ray_session.start(resources, data)
        try:
            patched = mock.patch.object(tuner, "TrialWorker", Worker)
            with patched, output_to(Path(folder) / "log"):  # Ray misses files that nobody reads
                tuner.train(
                    searcher,
                    trials=ENDLESS,
                    scheduler=asha,
                    data=data,
                    resources=resources,
                    folder=Path(folder) / "trials",
                    ray_folder=Path(folder) / "ray",
                    over=lambda: False,
                    time_budget=options.seconds - (time.monotonic() - began),
                )
        finally:
            ray_session.stop()
    return list(measured.values())


if __name__ == "__main__":
    main()
