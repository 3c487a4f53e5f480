"""How soon a search finds what a plain random search finds: real searchers, replayed training.

    python benchmarks/replay_searches.py [--pipeline all] [--seeds 50] [--workers 2] [--half all]

The samplers and schedulers are the real ones, this project's and Ray Tune's, asked and told as Ray
asks and tells them; only the training is replaced, by `surrogate.py` on the recorded curves of
`record_curves.py`. Time is simulated: so many trials at a time, each costs its epochs, its
measurements and the seconds that its proposal took. For every seed the target is the best that a
random search of 50 full trials measures; the ratio is that search's whole time over the time until
the other measures as much, or over the other's whole time if it never does. Prints geometric means
over the seeds with bootstrap intervals, in how many of them the target was reached, and how far the
best measured so far is short of it after a quarter, a half and all of the random search's time:
100 % is that search's median, 0 % its best.

`--half even` and `--half odd` know every other curve only, and draw other seeds: ways are chosen by
one half and reported by the other.

- `oracle`: every trial that will not reach the target is stopped at the first rung: what stopping
  may bring at most, with proposals at random or by TPE.
- `short, then full`: so many trials of one short time, then the best of them to their ends.
- `plain pair`: `OptunaSearch` + `ASHAScheduler` with their defaults, as the guides join them,
  measured after every epoch.
- `ours`: this project's, the defaults as trial 0, measured at its rungs.
- `no trial 0`: the same from a random start, so that the defaults' merit is not the searcher's.
- the others change one thing of `no trial 0`.
"""

from __future__ import annotations

import argparse
import bisect
import heapq
import math
import multiprocessing
import sys
import time
import warnings
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
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from benchmarks import machine
from benchmarks.against_random import PLAIN, RANDOM_TRIALS, Outcome, compared, show_ways
from benchmarks.record_curves import CURVES, METRIC, PIPELINES, read
from benchmarks.surrogate import Surrogate, as_recorded, trust
from search.cluster.asha import ResumableASHA, RungRecord
from search.cluster.searcher import TrialSearcher
from search.spaces.goals import Aims
from search.spaces.pipeline import Pipeline, load_pipeline
from search.spaces.rungs import REDUCTION
from search.spaces.space import key
from search.study import samplers
from search.study.study_trials import StudyTrials
from search.trials.config import TrialConfig
from search.trials.outcome import METRICS

OTHER = 1_000_003  # between the seeds of a target and of the searches for it
SHORT, TO_THE_END = 2, 6  # epochs of the short trials; one in so many goes on
HALVES = {"all": (0, 1), "even": (0, 2), "odd": (1, 2)}  # curves from here in steps


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way to search.

    Attributes:
        sampler: given a seed; None: Ray's own `OptunaSearch` proposes.
        grace: share of the epochs before the first rung; None: nobody is stopped.
        reduction: one in so many goes on from a rung.
        defaults: whether the pipeline's defaults are trial 0.
        every_epoch: measured after each, not at the rungs only.
        oracle: trials are stopped by what they would reach.
        short: trials are short, and the best of so many go on to their ends.
    """

    sampler: Callable[[int], BaseSampler] | None
    grace: float | None
    reduction: int = REDUCTION
    defaults: bool = False
    every_epoch: bool = False
    oracle: bool = False
    short: int | None = None


def tpe(**settings: Any) -> Callable[[int], BaseSampler]:
    """This project's TPE, with some settings changed."""

    def build(seed: int) -> BaseSampler:
        own = samplers.build_sampler("tpe", seed=seed, trials_so_far=0)
        if not settings:
            return own
        common = {"multivariate": False, "constant_liar": True}
        return TPESampler(**{**common, "seed": seed, **settings})

    return build


def random(seed: int) -> BaseSampler:
    """Proposals at random."""
    return RandomSampler(seed=seed)


def ways(pipeline: Pipeline) -> dict[str, Way]:
    """The compared ways, by name; `pipeline` has a grace of its own."""
    base = Way(sampler=tpe(), grace=pipeline.grace)
    return {
        PLAIN: Way(sampler=None, grace=0.0, reduction=4, every_epoch=True),
        "ours": replace(base, defaults=True),
        "no trial 0": base,
        "no scheduler": replace(base, grace=None),
        "oracle": replace(base, oracle=True),
        "random + oracle": replace(base, oracle=True, sampler=random),
        "short, then full": replace(base, short=18, sampler=random),
        "random + ASHA": replace(base, sampler=random),
        "GP": replace(base, sampler=lambda seed: GPSampler(seed=seed)),
        "5 start-ups": replace(base, sampler=tpe(n_startup_trials=5)),
        "20 start-ups": replace(base, sampler=tpe(n_startup_trials=20)),
        "multivariate": replace(base, sampler=tpe(multivariate=True, group=True)),
        "grace 1/9": replace(base, grace=1 / 9),
        "grace 1/3": replace(base, grace=1 / 3),
        "grace 5/9": replace(base, grace=5 / 9),
        "reduction 2": replace(base, reduction=2),
        "reduction 4": replace(base, reduction=4),
    }


QUICK = (PLAIN, "ours", "no trial 0")


def main(argv: Sequence[str] | None = None) -> None:
    """A table: a line for each way, a column for each pipeline."""
    numbers = {"seeds": 50, "trials": 150, "workers": 2}
    parser = machine.options(__doc__, "3 seeds, 60 trials, three ways", **numbers)
    parser.add_argument("--pipeline", default="all", choices=["all", *PIPELINES])
    parser.add_argument("--way", action="append", help="this one only; may be given again")
    parser.add_argument("--half", default="all", choices=HALVES)
    parser.add_argument("--curves", type=Path, default=CURVES)
    options = parser.parse_args(argv)
    if options.quick:
        options.seeds, options.trials = 3, 60
    names = PIPELINES if options.pipeline == "all" else (options.pipeline,)
    known = list(ways(load_pipeline(names[0])))
    if unknown := set(options.way or ()) - set(known):
        parser.error(f"no way {unknown.pop()!r}, there are: {', '.join(known)}")
    chosen = options.way or (QUICK if options.quick else known)
    where = machine.announce("ray", "optuna", "scikit-learn")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        running = [pool.submit(replay, name, chosen, options) for name in names]
        replayed = {name: future.result() for name, future in zip(names, running, strict=True)}
    trusted = {name: trusted for name, (trusted, _) in replayed.items()}
    for name in names:
        machine.show(f"{name}, recorded curves", trusted[name])
    figures = show_ways({name: outcomes for name, (_, outcomes) in replayed.items()}, options)
    figures |= {"surrogates": trusted, "half": options.half}
    machine.keep(options.json, machine=where, figures=figures)


def replay(
    name: str, chosen: Sequence[str], options: argparse.Namespace
) -> tuple[dict[str, float], dict[str, list[Outcome]]]:
    """How far to trust the curves of a pipeline; way -> an outcome a seed."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    first, step = HALVES[options.half]
    recorded = halved(read(options.curves / f"{name}.jsonl"), first, step)
    definition = as_recorded(load_pipeline(name), recorded)
    surrogate = Surrogate(definition.space, recorded)
    settings = {way: ways(definition)[way] for way in chosen}
    seeds = range(first, first + step * options.seeds, step)
    outcomes = outcomes_by_way(definition, surrogate, settings, seeds, options)
    once = len({key(line["params"]) for line in recorded})
    curves = {"curves": len(recorded), "pairs": len(recorded) - once}
    return {**curves, **trust(definition.space, recorded)}, outcomes


def outcomes_by_way(
    task: Any,
    surrogate: Any,
    settings: Mapping[str, Way],
    seeds: Sequence[int],
    options: argparse.Namespace,
) -> dict[str, list[Outcome]]:
    """Way -> an outcome a seed, in their order."""
    outcomes: dict[str, list[Outcome]] = {way: [] for way in settings}
    for seed in seeds:
        many = {"workers": options.workers}
        plain = Way(sampler=random, grace=None)
        other = seed + OTHER  # else ways that draw at random would draw the target's best, too
        events = list(search(task, surrogate, plain, seed=other, trials=RANDOM_TRIALS, **many))
        values, whole = [value for _, value in events], events[-1][0]
        goal, usual = max(values), float(np.median(values))
        for way, how in settings.items():
            one = search(task, surrogate, how, seed=seed, trials=options.trials, goal=goal, **many)
            outcomes[way].append(compared(one, goal, usual, whole))
    return outcomes


def halved(recorded: Sequence[dict[str, Any]], first: int, step: int) -> list[dict[str, Any]]:
    """Every `step`-th configuration from the `first` on, with both of its seeds."""
    order = list(dict.fromkeys(key(line["params"]) for line in recorded))
    kept = set(order[first::step])
    return [line for line in recorded if key(line["params"]) in kept]


@dataclass
class _Running:
    """A trial under way."""

    named: Any  # Ray's trial, as far as schedulers look at it
    curve: list[float]
    seconds: tuple[float, float]
    epoch: int = 0


def search(
    pipeline: Pipeline,
    surrogate: Surrogate,
    way: Way,
    *,
    seed: int,
    trials: int,
    workers: int = 2,
    goal: float = math.inf,
) -> Iterator[tuple[float, float]]:
    """(time, accuracy) of every measurement, in the order of time; `goal` is the oracle's."""
    searcher, scheduler, rungs, record = _parts(pipeline, way, seed)
    measured = range(1, pipeline.epochs + 1) if way.every_epoch else {*rungs, pipeline.epochs}
    events: list[tuple[float, int, _Running]] = []
    paused: list[tuple[float, int, _Running]] = []  # the worst first
    going_on: list[tuple[float, int, _Running]] = []
    number = 0

    def start(now: float) -> None:
        nonlocal number
        if going_on:
            return proceed(now, *going_on.pop()[1:])
        if number == trials:
            return None
        trial_id = f"{number}"
        began = time.process_time()
        suggested = searcher.suggest(trial_id)
        now += time.process_time() - began
        assert isinstance(suggested, dict)
        params = suggested.get("params", suggested)
        luck = np.random.default_rng([seed, zlib.crc32(repr(sorted(params.items())).encode())])
        curve = surrogate.curve(params, luck)
        running = _Running(
            named=SimpleNamespace(trial_id=trial_id, reaches=curve[-1] >= goal),
            curve=curve,
            seconds=surrogate.seconds(params),
        )
        scheduler.on_trial_add(None, running.named)  # type: ignore[arg-type]
        number += 1
        return proceed(now, int(trial_id), running)

    def proceed(now: float, order: int, running: _Running) -> None:
        running.epoch += 1
        training, measuring = running.seconds
        took = training + (measuring if running.epoch in measured else 0.0)
        heapq.heappush(events, (now + took, order, running))

    for _ in range(workers):
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
        if decision == TrialScheduler.PAUSE:
            searcher.on_trial_result(trial_id, result)
            bisect.insort(paused, (value, order, running))
            if len(paused) == way.short:
                going_on += paused[-(way.short // TO_THE_END) :]
                for _, _, left in paused[: -len(going_on)]:
                    record.stopped.add(left.named.trial_id)
                    searcher.on_trial_complete(left.named.trial_id)
                paused.clear()
            start(now)
            continue
        scheduler.on_trial_complete(None, running.named, result)  # type: ignore[arg-type]
        searcher.on_trial_complete(trial_id, result)
        start(now)


def _parts(
    pipeline: Pipeline, way: Way, seed: int
) -> tuple[Searcher, TrialScheduler, tuple[int, ...], RungRecord]:
    """Searcher, scheduler, the epochs at which trials are compared, and who was stopped."""
    epochs = pipeline.epochs
    rungs = () if way.grace is None else _rungs(epochs, way.grace, way.reduction)
    record = RungRecord()
    if way.sampler is None:
        plain = OptunaSearch(space=dict(pipeline.space), metric=METRIC, mode="max", seed=seed)
        asha = ASHAScheduler(
            time_attr="epoch", metric=METRIC, mode="max", max_t=epochs, grace_period=1
        )
        return plain, asha, rungs, record
    study = optuna.create_study(direction="maximize", sampler=way.sampler(seed))
    if way.defaults:
        study.enqueue_trial(dict(pipeline.defaults))

    def make_config(trial_id: str, number: int, params: Mapping[str, Any]) -> TrialConfig:
        return machine.trial_config("", params, trial_id=trial_id, number=number, epochs=epochs)

    source = StudyTrials(study, space=pipeline.space, make_config=make_config, seed=seed)
    searcher = TrialSearcher(source, aims=Aims.of(METRIC), listeners=[], rungs=record)
    if not rungs:
        return searcher, FIFOScheduler(), rungs, record
    if way.short:
        return searcher, Shorts(), (SHORT,), record
    if way.oracle:
        return searcher, Oracle(record, rungs[0]), rungs, record
    scheduler = ResumableASHA(
        record,
        time_attr="epoch",
        metric=METRICS + METRIC,
        mode="max",
        max_t=epochs,
        grace_period=rungs[0],
        reduction_factor=way.reduction,
    )
    return searcher, scheduler, rungs, record


class Shorts(FIFOScheduler):
    """Pauses every trial once, after its short time."""

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """As Ray calls it."""
        return TrialScheduler.PAUSE if result["epoch"] == SHORT else TrialScheduler.CONTINUE


class Oracle(FIFOScheduler):
    """Stops at the first rung whatever will not reach the goal: no scheduler knows as much."""

    def __init__(self, record: RungRecord, rung: int) -> None:
        super().__init__()
        self._record, self._rung = record, rung

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """As Ray calls it."""
        if result["epoch"] != self._rung or trial.reaches:
            return TrialScheduler.CONTINUE
        self._record.stopped.add(trial.trial_id)
        return TrialScheduler.STOP


def _rungs(epochs: int, grace: float, reduction: int) -> tuple[int, ...]:
    at, rungs = max(1, round(grace * epochs)), []
    while at < epochs:
        rungs.append(at)
        at *= reduction
    return tuple(rungs)


if __name__ == "__main__":
    main()
