"""The costs around the training: the start, each trial, the writing of records.

    python benchmarks/orchestration.py [--trials 40] [--quick] [--json FILE]

- `--help`: seconds of `python search/tune.py --help`, the median of ten.
- `start`: the smallest search (stand-in data, one trial of one epoch) in a folder that has stores,
  from the start of `python search/tune.py` to its first training step and to its end, and the floor
  under both (`floor.py`), taking turns; medians of five. And the first step in a fresh folder,
  where stores are made, once.
- `per trial`: a search of short real trials (stand-in data, two epochs, nobody stopped, two at a
  time), against the same configurations, seeds and measurements trained by two plain processes
  without Ray, Optuna and MLflow. The difference by trial, from the end of the fourth, when all
  processes are warm, to the end of the last. And the same where TPE proposes alone.
- `writer`: processor time of the thread that writes to MLflow, while ten trials report an epoch a
  second, in parts of one core.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import machine
from benchmarks.commands import rows, tune

PIPELINE = "mnist_supervised"
IMAGES, EPOCHS = 1024, 2
FLOOR = machine.ROOT / "benchmarks" / "floor.py"
SMALLEST = ["--pipeline", PIPELINE, "--data", "mini", "--trials", "1", "--epochs", "1", "--quiet"]
SHORT = ["--pipeline", PIPELINE, "--data", "mini", "--train-size", str(IMAGES), "--quiet"]
SHORT += ["--epochs", str(EPOCHS), "--scheduler", "none", "--device", "cpu"]
SHORT += ["--concurrency", "2", "--set", "width=16", "--set", "depth=3"]
LAST_EPOCHS = """
select max(m.timestamp) as ended from metrics m
join tags t on t.run_uuid = m.run_uuid and t.key = 'kind' and t.value = 'trial'
where m.key = 'train/loss' group by m.run_uuid order by ended
"""
FIRST_EPOCH = """
select m.timestamp, s.value from metrics m join metrics s
on s.run_uuid = m.run_uuid and s.step = m.step and s.key = 'time/epoch_seconds'
where m.key = 'train/loss' order by m.timestamp limit 1
"""
WARM = 4  # trials that are not counted
CONFIGS = "select value_json from trial_user_attributes where key = 'config' order by trial_id"


def main(argv: Sequence[str] | None = None) -> None:
    """A line for each."""
    quick = "2 trials, one start, a second of writing"
    options = machine.options(__doc__, quick, trials=40).parse_args(argv)
    trials = 2 if options.quick else options.trials
    starts, helps, seconds = (1, 1, 1) if options.quick else (5, 10, 30)
    where = machine.announce("torch", "ray", "optuna", "mlflow")
    helping = partial(machine.seconds, lambda: tune(["--help"], machine.ROOT))
    figures: dict[str, float] = {**machine.in_turn(helps, {"help": helping}), **start(starts)}
    machine.show("start, seconds", figures)
    figures["trials"] = trials
    for name, more in (("per_trial", []), ("per_trial_tpe", ["--sampler", "tpe"])):
        searched, plain = per_trial(trials, more)
        figures[name] = (searched - plain) / trials
    figures["writer"] = writer(seconds)
    machine.show("all, seconds; writer, of a core", figures)
    machine.keep(options.json, machine=where, figures=figures)


def start(count: int) -> dict[str, float]:
    """Median seconds of the smallest search and of the floor, to the first step and to the end."""
    searches, floors = [], []
    with tempfile.TemporaryDirectory() as folder:
        fresh, _ = _smallest(folder)
        for _ in range(count):
            searches.append(_smallest(folder))
            done = subprocess.run([sys.executable, FLOOR], capture_output=True, check=True)
            floors.append(json.loads(done.stdout))
    return {
        "starts": count,
        "first_step_fresh": fresh,
        "first_step": statistics.median(first for first, _ in searches),
        "smallest": statistics.median(whole for _, whole in searches),
        "floor_ready": statistics.median(floor["ready"] for floor in floors),
        "floor": statistics.median(floor["stopped"] for floor in floors),
    }


def _smallest(folder: str) -> tuple[float, float]:
    """Seconds of one search: (to its first step, to its end)."""
    began = time.time()
    tune(SMALLEST, folder)
    took = time.time() - began
    query = FIRST_EPOCH.replace("where", f"where m.timestamp > {int(began * 1e3)} and")
    [(ended, seconds)] = rows(folder, query)
    return ended / 1e3 - seconds - began, took


def per_trial(trials: int, more: Sequence[str]) -> tuple[float, float]:
    """Seconds of `trials` trials, two at a time: (in a search with `more` options, in loops)."""
    with tempfile.TemporaryDirectory() as folder:
        tune([*SHORT, *more, "--study", "s", "--trials", str(WARM + trials)], folder)
        ends = [ended for (ended,) in rows(folder, LAST_EPOCHS)]
        configs = [json.loads(value) for (value,) in rows(folder, CONFIGS, "optuna")]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        list(pool.map(_train, configs[:WARM]))
        began = time.perf_counter()
        list(pool.map(_train, configs[WARM:]))
        plain = time.perf_counter() - began
    return (ends[-1] - ends[WARM - 1]) / 1e3, plain


_images: Any = None


def _train(stored: dict[str, Any]) -> int:
    """Do what a worker does with a trial, and nothing of what is around it."""
    global _images
    from search.trials.config import TrialConfig
    from search.trials.trial import Trial, TrialImages

    machine.use_threads(1)
    if _images is None:
        _images = TrialImages.load(machine.load("mnist", None, IMAGES), "cpu")
    return sum(1 for _ in Trial(TrialConfig.from_json(stored), _images).epochs())


def writer(seconds: int) -> float:
    """Processor seconds a second of the recorder's thread at ten reports a second."""
    from search.tracking import recorder as recording
    from search.tracking.store import Store
    from search.trials.outcome import TrialOutcome

    spent: list[float] = []
    work = recording.Recorder._work

    def timed(self: recording.Recorder) -> None:
        began = time.thread_time()
        work(self)
        spent.append(time.thread_time() - began)

    metrics = {f"time/{n}": float(n) for n in range(11)} | {"train/loss": 1.0}
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(recording.Recorder, "_work", timed),
    ):
        store = Store(f"sqlite:///{folder}/mlflow.db")
        experiment = store.experiment("e")
        parent = store.start_run(experiment, name="p", tags={"kind": "study"})
        settings: dict[str, Any] = {"experiment_id": experiment, "parent": parent, "tags": {}}
        settings |= {"params": {}, "folder": Path(folder), "runs": {}}
        configs = [
            machine.trial_config(PIPELINE, {}, trial_id=f"{n}", number=n, epochs=seconds)
            for n in range(10)
        ]
        recorder = recording.Recorder(store, **settings)
        began = time.perf_counter()
        for config in configs:
            recorder.trial_started(config)
        for epoch in range(1, seconds + 1):
            for config in configs:
                recorder.epoch_ended(config, {**metrics, "epoch": epoch})
                time.sleep(0.1)
        took = time.perf_counter() - began
        for config in configs:
            recorder.trial_ended(config, TrialOutcome(state="PRUNED", value=0.5))
        recorder.close()
    return sum(spent) / took


if __name__ == "__main__":
    main()
