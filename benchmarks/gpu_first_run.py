"""What holds on a GPU, and how fast: for the first one that this project meets.

    python benchmarks/gpu_first_run.py all [--data-dir DIR] [--budget 440] [--dry] [--json FILE]
    python benchmarks/gpu_first_run.py STAGE ...

Needs torch, numpy and the checkout; neither Ray nor Optuna nor MLflow. Each stage is a process of
its own, so that a lost GPU spoils one only, and prints a line a measurement; FAILED stands where
something does not hold. `--dry` runs every stage on a CPU, tiny. If only one may run: `trials`.

    environment  what a launch costs, recorded and not
    oracle       loss and gradient of every pipeline against float64 on the CPU
    trials       every pipeline as a search's worker trains and measures it, in one process
    faults       out of memory, then a lost device: what becomes of the next trial
    repeat       a seed twice, and gone on with from its state: the same to the last digit; its cost
    speed        a step as it is and recorded, whether they are equal, epochs, measurements
    profile      the precision and the share of the GPU that a search would choose
    packing      k recorded steps on k streams; k processes
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import math
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def stand_in_for_optuna() -> None:
    """Where it is missing: the classes that pipelines describe their spaces with."""
    if importlib.util.find_spec("optuna"):
        return

    def distribution(name: str, *fields: str) -> type:
        def __init__(self: Any, *given: Any, **named: Any) -> None:
            vars(self).update(dict(zip(fields, given, strict=False)), **named)

        return type(name, (kinds.BaseDistribution,), {"__init__": __init__, "single": lambda s: 0})

    optuna, kinds = ModuleType("optuna"), ModuleType("optuna.distributions")
    kinds.BaseDistribution = type("BaseDistribution", (), {})  # type: ignore[attr-defined]
    for name in ("Int", "Float"):
        setattr(kinds, f"{name}Distribution", distribution(f"{name}Distribution", "low", "high"))
    kinds.CategoricalDistribution = distribution("Categorical", "choices")  # type: ignore[attr-defined]
    optuna.distributions = kinds  # type: ignore[attr-defined]
    sys.modules |= {"optuna": optuna, "optuna.distributions": kinds}


stand_in_for_optuna()

import torch

from benchmarks import machine
from benchmarks.record_curves import PIPELINES
from search.cluster import profile_trial
from search.spaces import builders
from search.spaces.pipeline import load_pipeline, pipeline_names
from search.spaces.space import largest
from search.trials.process import TrialProcess
from trainers import recording
from trainers.classifiers import fit_classifier
from trainers.evaluation import encode, evaluate
from trainers.loop import DeviceImages, Training, fit
from trainers.precision import DTYPES, autocast, choose_repeatable_kernels

PACKED = "cifar_supervised"
IMAGES = {"mnist": 54_000, "cifar": 45_000}
Options = argparse.Namespace


class Book:
    """What a stage measured: printed, and a line of JSON each."""

    def __init__(self, stage: str, file: Path) -> None:
        self.stage, self.file = stage, file

    def note(self, what: str, **values: Any) -> None:
        """Keep a measurement."""
        with self.file.open("a", encoding="utf-8") as file:
            line = {"stage": self.stage, "what": what, **values}
            file.write(json.dumps(line, default=str) + "\n")
        machine.show(f"{self.stage:12}{what}", values)

    def holds(self, what: str, true: bool, **values: Any) -> None:
        """Keep whether something holds."""
        self.note(what, **values, **({} if true else {"FAILED": True}))


def device_of(options: Options) -> torch.device:
    """The GPU, or a CPU for a dry run."""
    torch.set_flush_denormal(True)  # as a search's worker
    if options.dry:
        torch.set_num_threads(1)
    return torch.device("cpu" if options.dry else "cuda")


def seconds(function: Callable[[], object], device: torch.device, calls: int) -> float:
    """Of a call, when many follow each other; after three that warm up."""
    machine.seconds(function, 3)
    return machine.seconds(function, calls, device)


@contextlib.contextmanager
def worker(dataset: str, options: Options) -> Iterator[TrialProcess]:
    """A search's worker, on the real images, else on the stand-ins."""
    where, size = (None, 600) if options.dry else (options.data_dir, None)
    with tempfile.TemporaryDirectory() as folder:
        yield TrialProcess(machine.load(dataset, where, size), folder)


def drawn(name: str, device: torch.device, count: int) -> DeviceImages:
    """So many random images for a pipeline, few on a CPU: times do not depend on what they show."""
    torch.manual_seed(0)
    pipeline, count = load_pipeline(name), min(count, 600) if device.type == "cpu" else count
    return profile_trial.drawn(pipeline, pipeline.defaults, count, device.type)[1]


def training(name: str, data: DeviceImages, precision: Any, *, epochs: int = 9) -> Training:
    """Of a pipeline's defaults."""
    pipeline = load_pipeline(name)
    torch.manual_seed(1)
    method = pipeline.method(pipeline.defaults)
    method.to(data.images.device, memory_format=torch.channels_last)
    settings = builders.optimisation(pipeline.defaults)
    return fit(method, data, settings, epochs=epochs, seed=1, precision=precision)


@contextlib.contextmanager
def recorded(yes: bool) -> Iterator[None]:
    """Whether the trainings within record their steps."""
    os.environ[recording.SWITCH] = "1" if yes else "0"
    yield
    del os.environ[recording.SWITCH]


# Stages -------------------------------------------------------------------------------------------


def environment(options: Options, book: Book) -> None:
    """What a launch costs."""
    device = device_of(options)
    tiny = torch.zeros(1000, device=device)
    calls = 200 if options.dry else 20_000
    book.note("a launch", us=1e6 * seconds(lambda: tiny.add_(1), device, calls))
    if device.type == "cpu":
        return

    def launch() -> None:
        for _ in range(1000):
            tiny.add_(1)

    many = recording.record(launch, ())
    book.note("a launch, recorded", us=1e3 * seconds(many, device, 20))


def oracle(options: Options, book: Book) -> None:
    """A batch without augmentation: what is wrong beyond what the CPU's own precision is away."""
    cpu, device = torch.device("cpu"), device_of(options)
    for name in filter(lambda name: load_pipeline(name).dataset, pipeline_names()):
        if name == "mnist_vae":  # its noise differs from device to device
            continue
        few = drawn(name, cpu, 64)
        true, way = gradient(name, few, cpu, "float32", torch.float64)
        for precision in DTYPES:
            away = {}
            for where in (cpu, device):
                loss, found = gradient(name, few, where, precision)
                away[where.type] = float((found - way).norm() / way.norm())
            good = away[device.type] <= 2 * away["cpu"] + 1e-3
            book.holds(f"{name} {precision}", good, loss=abs(loss - true) / abs(true), **away)


def gradient(
    name: str,
    few: DeviceImages,
    where: torch.device,
    precision: Any,
    weights: torch.dtype = torch.float32,
) -> tuple[float, torch.Tensor]:
    """(loss, gradient as one vector) of a pipeline's defaults without augmentation."""
    pipeline = load_pipeline(name)
    without = {n: 0.0 for n in ("augment_strength", "mask_ratio") if n in pipeline.defaults}
    torch.manual_seed(3)
    method: Any = pipeline.method({**pipeline.defaults, **without}).to(weights)
    method.to(where, memory_format=torch.channels_last).train()
    kind = weights if weights == torch.float64 else DTYPES[precision]
    draws = torch.Generator(where).manual_seed(0)
    with autocast(precision, where):
        images = few.images.to(where).to(kind).div_(255)
        loss = method.loss(images, few.labels.to(where), draws)
    loss.backward()
    parts = [p.grad for p in method.parameters() if p.grad is not None]
    return loss.item(), torch.cat([part.double().cpu().flatten() for part in parts])


def _trial(made: TrialProcess, options: Options, name: str, **more: Any) -> dict[str, Any]:
    """The last report of a trial of one epoch."""
    more |= {"trial_id": f"{name}-{time.monotonic_ns()}", "device": device_of(options).type}
    params = load_pipeline(name).defaults
    config = machine.trial_config(name, params, epochs=1, **{"seed": 1, **more})
    made.begin(config.to_json())
    report: dict[str, Any] = {}
    while not report.get("done"):
        report = made.step()
    return report


def trials(options: Options, book: Book) -> None:
    """One epoch and all measurements, pipeline after pipeline in one process."""
    for dataset in IMAGES:
        names = [name for name in pipeline_names() if name.startswith(dataset)]
        with worker(dataset, options) as made:
            for name, precision in product(names, ["bfloat16"] if options.dry else DTYPES):
                began = time.perf_counter()
                last = _trial(made, options, name, precision=precision)
                told = {
                    k.split("/")[-1]: v
                    for k, v in last.get("metrics", {}).items()
                    if k.startswith(("valid/accuracy", "time", "memory"))
                }
                told |= {"wall": time.perf_counter() - began}
                told |= {"error": last["error"][:200]} if "error" in last else {}
                book.holds(f"{name} {precision}", "error" not in last, **told)


def faults(options: Options, book: Book) -> None:
    """Out of memory, and a device that is lost."""
    with worker("cifar", options) as made:
        if not options.dry:
            torch.cuda.set_per_process_memory_fraction(0.004)  # about half a GiB
            last = _trial(made, options, "cifar_contrastive")
            said = str(last.get("error", last.get("halted", "")))
            book.holds("a trial without memory fails", "memory" in said, said=said[:100])
            torch.cuda.set_per_process_memory_fraction(1.0)
        last = _trial(made, options, PACKED)
        book.holds("the next one trains", "error" not in last, said=str(last.get("error"))[:100])
    lost = multiprocessing.get_context("spawn").Process(target=_lose, args=(options,))
    lost.start()
    lost.join(120)
    book.holds("a lost device ends its process", lost.exitcode == 1, status=lost.exitcode)


def _lose(options: Options) -> None:
    with worker("cifar", options) as made:
        if options.dry:
            os._exit(1)
        _trial(made, options, PACKED)
        assert made._images is not None
        made._images.train.labels[7] = 99  # no class: the device stops for good
        _trial(made, options, PACKED)


def repeat(options: Options, book: Book) -> None:
    """Losses of a seed, twice, and of its state gone on with; what fixed sums cost."""
    device = device_of(options)
    for name in PIPELINES[1::4] if options.dry else PIPELINES:
        few = drawn(name, device, 10_000)
        for precision in DTYPES:

            def course(stop: int = 3, few: Any = few, name: str = name, p: Any = precision) -> Any:
                first = training(name, few, p, epochs=3)
                losses = [next(first).loss for _ in range(stop)]
                if stop < 3:
                    other = training(name, few, p, epochs=3)
                    other.load_state_dict(first.state_dict())
                    losses += [result.loss for result in other]
                return losses

            once, again, resumed = course(), course(), course(stop=1)
            book.holds(f"{name} {precision}", once == again == resumed, losses=once)
        if device.type == "cuda":
            step = training(name, few, "bfloat16")
            step._step.begin([1e-3] * step._step.steps)
            fixed = seconds(step._step.run, device, 20)
            torch.use_deterministic_algorithms(False)
            torch.backends.cudnn.deterministic = False
            step._step._at.zero_()
            free = seconds(step._step.run, device, 20)
            choose_repeatable_kernels()
            book.note(f"{name}: fixed sums", times=fixed / free)


def speed(options: Options, book: Book) -> None:
    """Steps as they are and recorded; all else that a trial spends time with."""
    device = device_of(options)
    for name in PIPELINES[1::4] if options.dry else PIPELINES:
        data = drawn(name, device, IMAGES[name.split("_")[0]])
        for precision in DTYPES:
            courses = {}
            for yes in (False, True):
                with recorded(yes):
                    course = training(name, data, precision, epochs=2)
                    results = list(course)
                courses[yes] = [result.loss for result in results]
                what = f"{name} {precision}{', recorded' * yes}"
                took = results[-1].seconds
                book.note(what, epoch_seconds=took, step_ms=1e3 * took / course._step.steps)
            book.holds(f"{name} {precision}: equal", courses[False] == courses[True])
        few = data.first(len(data) // 9)
        usual: dict[str, Any] = {"classes": 10, "seed": 1, "precision": "bfloat16"}
        measure = partial(evaluate, course._method, data, few, **usual, final=True)
        book.note(f"{name}: all measurements", seconds=machine.seconds(measure))
        latents = encode(course._method.encoder, data, precision="bfloat16")
        for yes in (False, True):
            with recorded(yes):
                classify = partial(fit_classifier, latents, data.labels, **usual)
                took = machine.seconds(classify, device=device)
            book.note(f"{name}: the classifier{', recorded' * yes}", seconds=took)


def profile(options: Options, book: Book) -> None:
    """What a search would choose."""
    where = device_of(options).type
    for name in PIPELINES:
        pipeline = load_pipeline(name)
        params = dict(largest(pipeline.space, pipeline.defaults))
        asked = profile_trial.ProfileRequest(device=where, threads=1, pipeline=name, params=params)
        found = profile_trial.measure(asked)
        share = found.share(limit=16) if found.total_gib else math.nan
        book.note(name, precision=found.precision, peak_gib=found.peak_gib, share=share)


def packing(options: Options, book: Book) -> None:
    """Steps a second of k trainings at a time, of all together."""
    device, span = device_of(options), 0.5 if options.dry else 5.0
    data = drawn(PACKED, device, 10_000)
    for k in (1, 2) if options.dry else (1, 4, 8):
        streams = [torch.cuda.Stream() if device.type == "cuda" else None for _ in range(k)]
        with recorded(True):
            each = [training(PACKED, data, "bfloat16", epochs=1000) for _ in range(k)]
        steps, began = 0, time.perf_counter()
        for one in each:
            one._step.begin([1e-3] * one._step.steps)
        while time.perf_counter() - began < span:
            for _ in range(each[0]._step.steps):
                for one, stream in zip(each, streams, strict=True):
                    with torch.cuda.stream(stream):  # type: ignore[arg-type]
                        one._run()
            steps += k * each[0]._step.steps
            machine.wait(device)
            for one in each:
                one._step._at.zero_()
        book.note(f"{k} streams, recorded", steps_a_second=steps / (time.perf_counter() - began))
    context = multiprocessing.get_context("spawn")
    many = ((1, False), (4, False), (16, False), (8, True))
    for k, yes in ((2, False),) if options.dry else many:
        with context.Manager() as manager, recorded(yes):
            gate, counts = manager.Barrier(k), manager.list()
            given = (options, gate, counts, span)
            packed = [context.Process(target=_packed, args=given) for _ in range(k)]
            for process in packed:
                process.start()
            for process in packed:
                process.join(span + 60)
            rates = list(counts)
        what = f"{k} processes{', recorded' * yes}"
        book.holds(what, len(rates) == k, steps_a_second=float(sum(rates)))


def _packed(options: Options, gate: Any, counts: Any, span: float) -> None:
    device = device_of(options)
    torch.set_num_threads(1)
    data = drawn(PACKED, device, 10_000)
    course, steps = training(PACKED, data, "bfloat16", epochs=100_000), 0
    next(course)
    gate.wait(60)
    began = time.perf_counter()
    while time.perf_counter() - began < span:
        next(course)
        steps += course._step.steps
    counts.append(steps / (time.perf_counter() - began))


# All ----------------------------------------------------------------------------------------------

STAGES = {  # each with the seconds after which it is cut off; what it wrote is kept
    environment: 40,
    oracle: 80,
    trials: 130,
    faults: 60,
    repeat: 60,
    speed: 120,
    profile: 60,
    packing: 150,
}


def main(argv: Sequence[str] | None = None) -> int:
    """One stage, or all of them; returns 1 if something does not hold."""
    names = {stage.__name__: stage for stage in STAGES}
    parser = machine.options(__doc__, "the same as --dry", budget=440)
    machine.add_data(parser)
    parser.add_argument("stage", choices=["all", *names])
    parser.add_argument("--dry", action="store_true", help="on a CPU, tiny")
    parser.add_argument("--lines", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    options.dry |= options.quick
    if options.stage != "all":
        file = options.lines or Path(tempfile.mkdtemp()) / "lines.jsonl"
        names[options.stage](options, Book(options.stage, file))
        return 0
    where = machine.announce("torch")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lines.jsonl"
        ended = _each(options, file)
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for stage, how in ended.items():
        print(f"{stage:12}{how}")
    machine.keep(options.json, machine=where, figures={"stages": ended, "lines": lines})
    failed = [line for line in lines if "FAILED" in line]
    return 1 if failed or any(how != "whole" for how in ended.values()) else 0


def _each(options: Options, file: Path) -> dict[str, str]:
    began, ended = time.monotonic(), {}
    more = ["--dry"] * options.dry
    more += ["--data-dir", options.data_dir] if options.data_dir else []
    for stage, limit in STAGES.items():
        left = options.budget - (time.monotonic() - began)
        name = stage.__name__
        if left < 20:
            ended[name] = "not begun: no time left"
            continue
        words = [sys.executable, __file__, name, "--lines", str(file), *more]
        try:
            done = subprocess.run(words, timeout=min(limit, left))
            ended[name] = "whole" if done.returncode == 0 else f"ended with {done.returncode}"
        except subprocess.TimeoutExpired:
            ended[name] = f"cut off after {min(limit, left):.0f} s"
    return ended


if __name__ == "__main__":
    sys.exit(main())
