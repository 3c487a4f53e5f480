"""How soon a search finds what a plain random search finds: real searchers, replayed training.

    python benchmarks/replay_searches.py [--pipeline all] [--seeds 10] [--trials 150]

The samplers and schedulers are the real ones, this project's and Ray Tune's, asked and told as Ray
asks and tells them; only the training is replaced, by `surrogate.py` on the recorded curves of
`record_curves.py`. Time is simulated: two trials at a time, each costs its epochs and its
measurements. For every seed the target is the best that a random search of 50 full trials measures;
the ratio is that search's whole time over the time until the other measures as much. Prints medians
over the seeds, and in brackets in how many of them the target was reached.

- `plain pair`: `OptunaSearch` + `ASHAScheduler` with their defaults, as the guides join them,
  measured after every epoch.
- `ours`: this project's, the defaults as trial 0, measured at its rungs.
- `no trial 0`: the same from a random start, so that the defaults' merit is not the searcher's.
- the others change one thing of `no trial 0`.
"""

from __future__ import annotations

import argparse
import heapq
import math
import multiprocessing
import statistics
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from benchmarks import machine
from benchmarks.record_curves import CURVES, METRIC, PIPELINES, read
from benchmarks.surrogate import Surrogate, as_recorded, trust
from search.cluster.asha import ResumableASHA, RungRecord
from search.cluster.searcher import TrialSearcher
from search.spaces.goals import Aims
from search.spaces.pipeline import Pipeline, load_pipeline
from search.spaces.rungs import REDUCTION
from search.study import samplers
from search.study.study_trials import StudyTrials
from search.trials.config import TrialConfig
from search.trials.outcome import METRICS

WORKERS = 2
RANDOM_TRIALS = 50  # of the search whose result is the target


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way to search.

    Attributes:
        sampler: given a seed; None: Ray's own `OptunaSearch` proposes.
        grace: share of the epochs before the first rung; None: nobody is stopped.
        reduction: one in so many goes on from a rung.
        defaults: whether the pipeline's defaults are trial 0.
        every_epoch: measured after each, not at the rungs only.
    """

    sampler: Callable[[int], BaseSampler] | None
    grace: float | None
    reduction: int = REDUCTION
    defaults: bool = False
    every_epoch: bool = False


def tpe(**settings: Any) -> Callable[[int], BaseSampler]:
    """This project's TPE, with some settings changed."""

    def build(seed: int) -> BaseSampler:
        own = samplers.build_sampler("tpe", seed=seed, trials_so_far=0)
        if not settings:
            return own
        common = {"multivariate": False, "constant_liar": True}
        return TPESampler(**{**common, "seed": seed, **settings})

    return build


def ways(pipeline: Pipeline) -> dict[str, Way]:
    """The compared ways, by name; `pipeline` has a grace of its own."""
    base = Way(sampler=tpe(), grace=pipeline.grace)
    return {
        "plain pair": Way(sampler=None, grace=0.0, reduction=4, every_epoch=True),
        "ours": replace(base, defaults=True),
        "no trial 0": base,
        "no scheduler": replace(base, grace=None),
        "random + ASHA": replace(base, sampler=lambda seed: RandomSampler(seed=seed)),
        "5 start-ups": replace(base, sampler=tpe(n_startup_trials=5)),
        "20 start-ups": replace(base, sampler=tpe(n_startup_trials=20)),
        "multivariate": replace(base, sampler=tpe(multivariate=True, group=True)),
        "grace 1/9": replace(base, grace=1 / 9),
        "grace 1/3": replace(base, grace=1 / 3),
        "grace 5/9": replace(base, grace=5 / 9),
        "reduction 2": replace(base, reduction=2),
        "reduction 4": replace(base, reduction=4),
    }


QUICK = ("plain pair", "ours", "no trial 0")


def main(argv: Sequence[str] | None = None) -> None:
    """A table: a line for each way, a column for each pipeline."""
    numbers = {"seeds": 10, "first_seed": 0, "trials": 150}
    parser = machine.options(__doc__, "3 seeds, 60 trials, three ways", **numbers)
    parser.add_argument("--pipeline", default="all", choices=["all", *PIPELINES])
    parser.add_argument("--way", action="append", help="this one only; may be given again")
    parser.add_argument("--curves", type=Path, default=CURVES)
    options = parser.parse_args(argv)
    if options.quick:
        options.seeds, options.trials = 3, 60
    names = PIPELINES if options.pipeline == "all" else (options.pipeline,)
    known = list(ways(load_pipeline(names[0])))
    if unknown := set(options.way or ()) - set(known):
        parser.error(f"no way {unknown.pop()!r}, there are: {', '.join(known)}")
    where = machine.announce("ray", "optuna", "scikit-learn")
    times_faster: dict[str, dict[str, tuple[float, int]]] = {}
    trusted: dict[str, dict[str, float]] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        running = [pool.submit(replay, name, options) for name in names]
        for name, future in zip(names, running, strict=True):
            trusted[name], columns = future.result()
            machine.show(f"{name}, recorded curves", trusted[name])
            for way, ratio in columns.items():
                times_faster.setdefault(way, {})[name] = ratio
    print(f"times faster than {RANDOM_TRIALS} random full trials, median of {options.seeds} seeds")
    for way, columns in times_faster.items():
        machine.show(
            way, {p: f"{ratio:.1f} ({reached})" for p, (ratio, reached) in columns.items()}
        )
    figures = {"seeds": options.seeds, "surrogates": trusted, "times_faster": times_faster}
    machine.keep(options.json, machine=where, figures=figures)


def replay(
    name: str, options: argparse.Namespace
) -> tuple[dict[str, float], dict[str, tuple[float, int]]]:
    """How far to trust the curves of a pipeline; way -> (median ratio, times reached)."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    recorded = read(options.curves / f"{name}.jsonl")
    definition = as_recorded(load_pipeline(name), recorded)
    rank, error = trust(definition.space, recorded)
    surrogate = Surrogate(definition.space, recorded)
    chosen = ways(definition)
    if options.quick or options.way:
        chosen = {way: chosen[way] for way in options.way or QUICK}
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    goals = [target(definition, surrogate, seed) for seed in seeds]
    columns = {}
    for way, settings in chosen.items():
        ratios = [
            whole / until(goal, search(definition, surrogate, settings, seed, options.trials))
            for seed, (goal, whole) in zip(seeds, goals, strict=True)
        ]
        columns[way] = statistics.median(ratios), sum(ratio > 0 for ratio in ratios)
    return {"curves": len(recorded), "rank": rank, "error": error}, columns


def target(pipeline: Pipeline, surrogate: Surrogate, seed: int) -> tuple[float, float]:
    """(best accuracy, seconds) of a random search that stops nobody."""
    plain = Way(sampler=lambda number: RandomSampler(seed=number), grace=None)
    events = list(search(pipeline, surrogate, plain, seed, RANDOM_TRIALS))
    return max(value for _, value in events), max(at for at, _ in events)


def until(goal: float, events: Iterator[tuple[float, float]]) -> float:
    """The simulated time at which `goal` is first measured; infinite if never."""
    return next((at for at, value in events if value >= goal), math.inf)


@dataclass
class _Running:
    """A trial under way."""

    named: Any  # Ray's trial, as far as schedulers look at it
    curve: list[float]
    seconds: tuple[float, float]
    epoch: int = 0


def search(
    pipeline: Pipeline, surrogate: Surrogate, way: Way, seed: int, trials: int
) -> Iterator[tuple[float, float]]:
    """(time, accuracy) of every measurement, in the order of time."""
    searcher, scheduler, rungs = _parts(pipeline, way, seed)
    measured = range(1, pipeline.epochs + 1) if way.every_epoch else {*rungs, pipeline.epochs}
    events: list[tuple[float, int, _Running]] = []
    number = 0

    def start(now: float) -> None:
        nonlocal number
        if number == trials:
            return
        trial_id = f"{number}"
        suggested = searcher.suggest(trial_id)
        assert isinstance(suggested, dict)
        params = suggested.get("params", suggested)
        draw = np.random.default_rng([seed, zlib.crc32(repr(sorted(params.items())).encode())])
        running = _Running(
            named=SimpleNamespace(trial_id=trial_id),
            curve=surrogate.curve(params, float(draw.standard_normal())),
            seconds=surrogate.seconds(params),
        )
        scheduler.on_trial_add(None, running.named)  # type: ignore[arg-type]
        number += 1
        proceed(now, int(trial_id), running)

    def proceed(now: float, order: int, running: _Running) -> None:
        running.epoch += 1
        training, measuring = running.seconds
        took = training + (measuring if running.epoch in measured else 0.0)
        heapq.heappush(events, (now + took, order, running))

    for _ in range(WORKERS):
        start(0.0)
    while events:
        now, order, running = heapq.heappop(events)
        result: dict[str, Any] = {"epoch": running.epoch, "training_iteration": running.epoch}
        if running.epoch in measured:
            value = running.curve[running.epoch - 1]
            result |= {METRICS + METRIC: value, METRIC: value}
            yield now, value
        # As Ray Tune does it: an ended trial is not put to the scheduler's question.
        trial_id = running.named.trial_id
        ended = running.epoch == pipeline.epochs
        decision = (
            TrialScheduler.STOP if ended else scheduler.on_trial_result(None, running.named, result)  # type: ignore[arg-type]
        )
        if decision == TrialScheduler.CONTINUE:
            if METRIC in result or isinstance(searcher, TrialSearcher):
                searcher.on_trial_result(trial_id, result)
            proceed(now, order, running)
            continue
        scheduler.on_trial_complete(None, running.named, result)  # type: ignore[arg-type]
        searcher.on_trial_complete(trial_id, result)
        start(now)


def _parts(
    pipeline: Pipeline, way: Way, seed: int
) -> tuple[Searcher, TrialScheduler, tuple[int, ...]]:
    """Searcher, scheduler, and the epochs at which trials are compared."""
    epochs = pipeline.epochs
    rungs = () if way.grace is None else _rungs(epochs, way.grace, way.reduction)
    if way.sampler is None:
        plain = OptunaSearch(space=dict(pipeline.space), metric=METRIC, mode="max", seed=seed)
        asha = ASHAScheduler(
            time_attr="epoch", metric=METRIC, mode="max", max_t=epochs, grace_period=1
        )
        return plain, asha, rungs
    study = optuna.create_study(direction="maximize", sampler=way.sampler(seed))
    if way.defaults:
        study.enqueue_trial(dict(pipeline.defaults))

    def make_config(trial_id: str, number: int, params: Mapping[str, Any]) -> TrialConfig:
        return machine.trial_config("", params, trial_id=trial_id, number=number, epochs=epochs)

    record = RungRecord()
    source = StudyTrials(study, space=pipeline.space, make_config=make_config, seed=seed)
    searcher = TrialSearcher(source, aims=Aims.of(METRIC), listeners=[], rungs=record)
    if way.grace is None:
        return searcher, FIFOScheduler(), rungs
    scheduler = ResumableASHA(
        record,
        time_attr="epoch",
        metric=METRICS + METRIC,
        mode="max",
        max_t=epochs,
        grace_period=rungs[0],
        reduction_factor=way.reduction,
    )
    return searcher, scheduler, rungs


def _rungs(epochs: int, grace: float, reduction: int) -> tuple[int, ...]:
    at, rungs = max(1, round(grace * epochs)), []
    while at < epochs:
        rungs.append(at)
        at *= reduction
    return tuple(rungs)


if __name__ == "__main__":
    main()
