"""Findings made by hand: six pipelines with tiny models on a few mini images, nothing trained.

The models' batch normalisation has seen the training images, so that latents are spread out, and
the classifier is a least-squares fit: good enough to be right on some images and wrong on others.
The numbers of the rows and trials are invented, but have the shape of real ones.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from analysis.cache import Cache
from analysis.records import SIX, Findings, PipelineRecord, StudyRecord, TrialRecord
from models import Classifier, LatentModel
from search.cells.statistics import estimate
from search.finals.comparisons import (
    OTHERS,
    RIGHT,
    compare_champion,
    comparisons_json,
    packed,
)
from search.spaces.pipeline import load_pipeline
from search.spaces.rebuild import rebuild, untrained
from search.spaces.rungs import rungs
from tests import commands
from tests.stores import prepare
from trainers.data import DATASETS, LabelledImages, TrainingData, load_training
from trainers.data.test_set import load_test
from trainers.evaluation import encode
from trainers.loop import DeviceImages
from trainers.protocol import VERSION

SMALL = {
    **{"width": 2, "depth": 3, "upsample": "transposed", "pixel_loss": "l2", "lr": 2e-3},
    **{"weight_decay": 1e-2, "batch_size": 128, "warmup": 0.1, "dropout": 0.0},
    **{"augment_strength": 0.1, "block": "strided", "optimizer": "adamw"},
}
SEEDS = (1409, 7919, 4243)
TRAIN, VALID, TEST = 300, 80, 120  # images
EPOCHS = 9
TEST_ACCURACY = {
    "mnist_autoencoder": 0.981,
    "mnist_supervised": 0.995,
    "mnist_contrastive": 0.990,
    "cifar_autoencoder": 0.602,
    "cifar_supervised": 0.861,
    "cifar_contrastive": 0.688,
}
# State and, where there is one, the last valid/accuracy of the twelve trials below the best one.
TRIALS = (
    *(("COMPLETE", 0.03), ("PRUNED", 0.20), ("COMPLETE", 0.01), ("PRUNED", 0.15)),
    *(("FAIL", None), ("COMPLETE", 0.0), ("PRUNED", 0.11), ("COMPLETE", 0.02)),
    *(("PRUNED", 0.30), ("COMPLETE", 0.012), ("INTERRUPTED", 0.18), ("FAIL", None)),
)
VERSIONS = {"python": "3.11.7", "torch": "2.13.0", "ray": "2.60.0", "optuna": "5.0.0"}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="session")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """The six with champions, on stand-in data, with a cache of their own."""
    cache = Cache(tmp_path_factory.mktemp("analysis_cache"))
    data = {dataset: _few(dataset) for dataset in ("mnist", "cifar")}
    records = {name: _record(name, *data[name.partition("_")[0]], cache) for name in SIX}
    for dataset in ("mnist", "cifar"):
        name = f"{dataset}_contrastive"
        compared = _comparisons(dataset, records)
        result = {**(records[name].result or {}), "comparisons": compared}
        records[name] = replace(records[name], result=result)
    return Findings(
        records=records,
        missing={},
        data="mini",
        data_words=("--data", "mini"),
        seed=0,
        points=100,
        embedding="tsne",
        cache=cache,
        source="MLflow's runs at `sqlite:///mlruns/mlflow.db`",
    )


@pytest.fixture(scope="session")
def unfinished() -> Callable[[PipelineRecord], PipelineRecord]:
    """(record) -> the same as if it had a study and no champion: drawn from its best trial."""

    def without_champion(record: PipelineRecord) -> PipelineRecord:
        best = record.studies[-1].complete[0]
        return replace(
            record,
            final=False,
            run_id=best.run_id,
            result=None,
            info={
                **{name: record.info[name] for name in ("kind", "dataset", "pipeline", "epochs")},
                **{"params": dict(best.params), "seed": 7, "trial_id": "abc123abc123"},
            },
            split="validation",
            images=record.data.valid,
            stored={},
        )

    return without_champion


@pytest.fixture(scope="session")
def only() -> Callable[..., Findings]:
    """(findings, *names) -> with these pipelines alone, the others of the six missing."""

    def keep(findings: Findings, *names: str, **changed: PipelineRecord) -> Findings:
        kept = {n: changed.get(n, r) for n, r in findings.records.items() if n in names}
        gone = [name for name in SIX if name not in kept]
        missing = {name: f"python search/tune.py --pipeline {name} --data mini" for name in gone}
        for name, record in kept.items():
            if not record.final:
                missing[name] = f"python search/rerun.py --pipeline {name} --data mini"
        return replace(findings, records=kept, missing=missing)

    return keep


# A real store -----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One pipeline with final numbers, one with a search only, one sweep."""
    made = prepare(tmp_path_factory.mktemp("report"))
    best = {"pipeline": "mnist_autoencoder", "params": SMALL, "epochs": 1}
    (made / "best.json").write_text(json.dumps(best))
    few, two = ("--train-size", "256"), ("--seeds", "2")
    small = ("--set", "width=16", "--set", "batch_size=128", *few)
    searched = ("--pipeline", "mnist_supervised", "--trials", "2", "--epochs", "1", *small)
    swept = ("--sweep", "interpolation", "--quick", "--epochs", "1", *two, *few)
    for script, *given in (
        ("search/tune.py", *searched),
        ("search/rerun.py", "--pipeline", "mnist_autoencoder", "--config", "best.json", *two),
        ("search/sweep.py", *swept),
    ):
        given += ("--data", "mini", "--quiet", "--concurrency", "1")
        done = commands.run(script, *given, folder=made)
        assert (done.status, done.err) == (0, "")
    return made


# The parts --------------------------------------------------------------------------------------


def _few(dataset: str) -> tuple[TrainingData, LabelledImages]:
    whole = load_training(dataset, mini=True, train_size=TRAIN)
    data = replace(whole, valid=_first(whole.valid, VALID))
    return data, _first(load_test(dataset, mini=True), TEST)


def _first(images: LabelledImages, count: int) -> LabelledImages:
    return LabelledImages(images.images[:count].copy(), images.labels[:count].copy())


def _params(name: str) -> dict[str, Any]:
    return {**load_pipeline(name).defaults, "width": 4, "depth": 3}


def _model(info: Mapping[str, Any], data: TrainingData) -> LatentModel:
    torch.manual_seed(0)
    method: Any = untrained(info)
    train = DeviceImages.load(data.train, torch.device("cpu"))
    for part in method.modules():
        if isinstance(part, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            part.momentum = None  # a plain average over what is seen
    method.train()
    with torch.no_grad():
        method.encoder(train.images / 255)
    latents = encode(method.encoder, train)
    classes = len(DATASETS[data.dataset].classes)
    classifier = Classifier(latent_dim=latents.shape[1], classes=classes).eval()
    with torch.no_grad():
        hidden = classifier.layers[:-1](latents)
        target = torch.nn.functional.one_hot(train.labels, classes).float() * 8
        ridge = hidden.T @ hidden + 100 * torch.eye(hidden.shape[1])
        classifier.layers[-1].weight.copy_(torch.linalg.solve(ridge, hidden.T @ target).T)
    weights = {f"method.{name}": value for name, value in method.state_dict().items()}
    weights = {n: v for n, v in weights.items() if not n.startswith("method.classifier.")}
    weights |= {f"classifier.{name}": value for name, value in classifier.state_dict().items()}
    return rebuild(info, weights)


def _record(name: str, data: TrainingData, test: LabelledImages, cache: Cache) -> PipelineRecord:
    pipeline = load_pipeline(name)
    info = {
        **{"kind": "trained", "dataset": data.dataset, "pipeline": name, "params": _params(name)},
        **{"epochs": EPOCHS, "seed": SEEDS[0], "cell": f"cell-{name}-0"},
        **{"precision": "float32", "device": "cpu", "threads": 1},
        **{"versions": VERSIONS, "commit": COMMIT, "made": "2026-01-01", "machine": "a CPU"},
    }
    model = _model(info, data)
    with torch.no_grad():
        latents = model.encoder(torch.from_numpy(test.images) / 255)
        predictions = model.classifier(latents).argmax(1).numpy()
    return PipelineRecord(
        name=name,
        pipeline=pipeline,
        final=True,
        run_id=f"run-of-{name}",
        experiment_id="1",
        command=f"python search/rerun.py --pipeline {name} --top 2 --seeds 3 --data mini",
        result=_result(name, data, test, predictions),
        info=info,
        model=model,
        weights=f"weights-{name}",
        split="test",
        images=test,
        data=data,
        studies=(_study(name, data),),
        cache=cache,
        stored={
            "latents": latents.numpy(),
            "predictions": predictions.astype(np.uint8),
            "labels": test.labels.astype(np.uint8),
        },
    )


def _study(name: str, data: TrainingData) -> StudyRecord:
    stops = rungs(EPOCHS)
    best = TEST_ACCURACY[name] + 0.004
    trials = []
    rng = np.random.default_rng(3)
    for number, (state, below) in enumerate(TRIALS):
        params = _params(name)
        if number:
            params |= {"lr": float(10 ** rng.uniform(-3, -2)), "width": int(rng.choice([16, 32]))}
            batch, warmup = int(rng.choice([256, 512])), float(rng.uniform(0, 0.3))
            params |= {"batch_size": batch, "warmup": warmup}
        curve, loss = {}, {}
        if below is not None:
            last = {"COMPLETE": EPOCHS, "PRUNED": stops[0], "INTERRUPTED": stops[0] + 1}[state]
            measured = sorted({*stops, EPOCHS} & set(range(last + 1)))
            curve = {epoch: best - below - 0.02 * (last - epoch) for epoch in measured}
            loss = {epoch: 1.5 / epoch + below for epoch in range(1, last + 1)}
        trials.append(
            TrialRecord(
                number=number,
                state=state,
                run_id=f"trial-{number}-of-{name}",
                value=curve[max(curve)] if curve else None,
                params=params,
                curve=curve,
                loss=loss,
                seconds=8.0 * len(loss) + 1,
            )
        )
    return StudyRecord(
        name=f"{name}-20251120-1200",
        run_id=f"study-of-{name}",
        trials=tuple(trials),
        rungs=stops,
        epochs=EPOCHS,
        tags={
            **{"kind": "study", "pipeline": name, "study": f"{name}-20251120-1200"},
            **{"data": "mini", "data_fingerprint": data.fingerprint, "protocol": str(VERSION)},
            **{"sampler": "tpe", "scheduler": "predictive", "seed": "0"},
            **{"mlflow.source.git.commit": COMMIT, **VERSIONS},
        },
        params={
            **{"epochs": str(EPOCHS), "train_size": str(len(data.train)), "threads": "1"},
            **{"precision": "bfloat16", "device": "cpu", "concurrency": "2"},
            **{"rungs": " ".join(map(str, stops)) or "none"},
        },
        seconds=640.0,
    )


def _result(
    name: str, data: TrainingData, test: LabelledImages, predictions: np.ndarray
) -> dict[str, Any]:
    pipeline = load_pipeline(name)
    accuracy = TEST_ACCURACY[name]
    labels = pipeline.uses_labels
    params, defaults = _params(name), dict(pipeline.defaults)
    outputs = _tested(test, predictions, len(data.classes))
    champion = _row(name, "config 1", "final", accuracy, params, labels, test=outputs)
    rows = [
        {**champion, "note": f"trial 5 of {name}-20251120-1200"},
        _row(name, "config 2", "final", accuracy - 0.006, params, labels, tested=False),
    ]
    if pipeline.ablation:
        rows.append(_row(name, "ablation", "ablation", accuracy - 0.05, params, False))
    pca, pixels = (0.95, 0.96) if data.dataset == "mnist" else (0.55, 0.53)
    rows += [
        _row(name, "defaults", "baseline", accuracy - 0.013, defaults, labels),
        _row(name, "random encoder", "baseline", accuracy - 0.1, params, False, epochs=0),
        _row(data.dataset, "PCA", "baseline", pca, {}, False, epochs=0),
        _row(data.dataset, "raw pixels", "baseline", pixels, {}, False),
    ]
    promised = accuracy + 0.004
    return {
        **{"pipeline": name, "experiment": f"{name}-mini", "run_id": f"run-of-{name}"},
        **{"data": "mini", "data_fingerprint": data.fingerprint, "protocol": VERSION},
        **{"train_size": len(data.train), "classes": list(data.classes)},
        **{"source": f"trial 5 of {name}-20251120-1200", "params": params, "epochs": EPOCHS},
        "promised": promised,
        "optimism": promised - rows[0]["means"]["valid/accuracy"]["mean"],
        "rows": rows,
        "failures": {},
        "model": {"name": f"{name}-mini", "version": "1", "cell": champion["cells"][0]},
        "comparisons": [],
    }


def _row(
    name: str,
    row: str,
    kind: str,
    accuracy: float,
    params: Mapping[str, Any],
    uses_labels: bool,
    *,
    test: Sequence[Mapping[str, Any]] | None = None,
    tested: bool = True,
    epochs: int = EPOCHS,
) -> dict[str, Any]:
    spread = np.roll([-0.002, 0.0, 0.003], len(row))
    metrics: dict[str, list[float]] = {
        "train/accuracy": list(np.minimum(1.0, accuracy + 0.02 + spread)),
        "valid/accuracy": list(accuracy + 0.001 + spread),
        **{
            f"{images}/{measure}": list(accuracy - below + spread)
            for images in (["train", "valid", "test"] if tested else ["train", "valid"])
            for measure, below in (("linear_accuracy", 0.03), ("knn_accuracy", 0.02))
        },
        "model/parameters": [0.0 if row in ("PCA", "raw pixels") else 98_000.0] * len(SEEDS),
    }
    if tested:
        metrics["test/accuracy"] = list(np.round(accuracy + spread, 4))
    if kind != "baseline" or row == "defaults":
        metrics["time/train_seconds"] = [61.0, 64.0, 59.0]
        metrics["time/evaluation_seconds"] = [9.0, 11.0, 10.0]
    if kind == "ablation" or name.endswith("autoencoder") or row == "PCA":
        metrics |= {f"{split}/mae": [0.041, 0.040, 0.042] for split in ("train", "valid")}
        if tested:
            metrics["test/mae"] = [0.0415, 0.0405, 0.0425]
    metrics = {name: [float(value) for value in values] for name, values in metrics.items()}
    if test is None:
        test = [{"accuracy": value} for value in metrics.get("test/accuracy", [])]
    noise = np.random.default_rng(list(f"{name} {row}".encode()))
    return {
        "name": row,
        "kind": kind,
        "uses_labels": uses_labels,
        "note": {"PCA": "128 principal components"}.get(row, ""),
        "cells": [f"cell-{name}-{row}-{number}" for number in range(len(SEEDS))],
        "seeds": list(SEEDS),
        "epochs": epochs,
        "params": dict(params),
        "metrics": metrics,
        "means": {name: dataclasses.asdict(estimate(v)) for name, v in metrics.items()},
        "test": list(test),
        RIGHT: packed(_hits(metrics["test/accuracy"], noise)) if tested else None,
    }


def _tested(test: LabelledImages, predictions: np.ndarray, classes: int) -> list[dict[str, Any]]:
    """What the three seeds' test.json would hold, were they alike."""
    confusion = np.zeros((classes, classes), dtype=int)
    np.add.at(confusion, (test.labels, predictions), 1)
    per_class = confusion.diagonal() / np.maximum(1, confusion.sum(1))
    one = {
        "accuracy": float((predictions == test.labels).mean()),
        "images": len(test),
        "per_class": per_class.tolist(),
        "confusion": confusion.tolist(),
        "reading": {"reading": 1},
    }
    return [dict(one) for _ in SEEDS]


def _hits(values: Sequence[float], noise: np.random.Generator) -> np.ndarray:
    """The images are about as hard for every training, and each is as good as it is said."""
    order = np.random.default_rng(0).permutation(10_000)
    ranks = (np.argsort(np.argsort(order + noise.normal(0, 30, 10_000))) for _ in values)
    return np.stack([r < round(10_000 * v) for r, v in zip(ranks, values, strict=True)])


def _comparisons(dataset: str, records: Mapping[str, PipelineRecord]) -> list[dict[str, Any]]:
    main = records[f"{dataset}_contrastive"].result
    assert main is not None
    opponents = {name: records[name].result for name in (f"{dataset}_{o}" for o in OTHERS)}
    return comparisons_json(compare_champion(main, opponents).comparisons)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An empty folder to write a report into."""
    folder = tmp_path / "report"
    folder.mkdir()
    return folder


@pytest.fixture
def browser(tmp_path: Path) -> Callable[..., str]:
    """(file, width, seconds to wait) -> the page after its scripts, as a headless Chromium has it.

    Nothing may be said on its console. Skips on a machine without Chromium.
    """
    names = ("chromium", "chromium-browser", "chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("no Chromium here")

    def show(file: Path, *, width: int, patience: int = 300) -> str:
        # Its virtual time waits for no picture that another thread decodes.
        tries = (once(file, width, patience) for _ in range(5))
        return next((page for page in tries if 'data-told="' in page), "")

    def once(file: Path, width: int, patience: int) -> str:
        done = subprocess.run(
            [
                *(program, "--headless", "--no-sandbox", "--disable-gpu"),
                *("--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run"),
                *("--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}"),
                *(f"--window-size={width},900", "--virtual-time-budget=20000", "--dump-dom"),
                file.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=patience,
        )
        assert done.returncode == 0, done.stderr
        assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
        return done.stdout

    return show
