"""`--replay TRIAL_ID`: train one recorded trial again and compare the curves."""

from __future__ import annotations

import platform
from argparse import Namespace
from dataclasses import replace
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from search import errors
from search.cli import output
from search.cli.images import label, load_images
from search.cluster.resources import choose_device, gpu_count
from search.errors import FAILED, Failure, UserError
from search.files.home import HOME
from search.spaces.pipeline import pipeline_of
from search.study import study as studies
from search.study.storage import find_trial, open_storage, studies_exist
from search.tracking import address
from search.tracking.store import open_existing
from search.trials.config import TrialConfig
from search.trials.trial import Trial, TrialImages
from trainers.data import TrainingData

CURVES = ("train/loss", "valid/accuracy", "valid/rankme", "valid/view_information")


def replay(options: Namespace) -> int:
    """Train and compare; returns 0 if the curves are the same, 1 if they differ."""
    home = HOME.absolute()
    if not studies_exist(home):
        raise UserError(f"--replay: there are no studies in {home}")
    storage = open_storage(home)
    stored_trial = find_trial(storage, options.replay)
    if stored_trial is None:
        raise UserError(
            f"--replay {options.replay}: no trial has this id\n"
            "the ids are in MLflow, tag trial_id, and at the end of a search"
        )
    study, stored = stored_trial
    config = TrialConfig.from_json(stored)
    identity = study.user_attrs[studies.IDENTITY]
    studies.check_protocol(study)
    data = _same_data(options, identity)
    device = choose_device(options.device, None, gpus=gpu_count())
    console = output.console(quiet=options.quiet)
    if device != config.device:
        console.print(
            f"recorded on {config.device}, trained again on {device}: "
            "the curves will be close, not equal",
            style="yellow",
        )
    torch.set_num_threads(config.threads)
    torch.set_flush_denormal(True)
    trial = Trial(replace(config, device=device), TrialImages.load(data, device))
    recorded = _recorded(options, config.trial_id)
    console.print(
        f"trial {config.number} of {config.study}: {config.epochs} epochs, seed {config.seed}, "
        f"{config.threads} thread{'s' * (config.threads > 1)}, {config.precision}",
        style="bold",
    )
    again: dict[str, dict[int, float]] = {curve: {} for curve in recorded}
    for metrics in trial.epochs():
        epoch = int(metrics["epoch"])
        for curve in recorded:
            if curve in metrics:
                again[curve][epoch] = metrics[curve]
        if epoch == max(recorded["train/loss"], default=config.epochs):
            break  # a pruned trial has no more to compare with
    return _compare(console, recorded, again)


def _same_data(options: Namespace, identity: dict[str, Any]) -> TrainingData:
    then = identity["data"]
    if then in ("real", "mini"):
        options = Namespace(**{**vars(options), "data": None if then == "real" else then})
    elif label(options) != then:
        raise UserError(f"the trial was trained on {then}\ngive the --data of its search")
    train_size = int(str(identity["train_size"]))
    _, data = load_images(options, pipeline_of(identity), train_size=train_size)
    if data.fingerprint != identity["fingerprint"]:
        raise Failure(
            f"the trial was trained on data {identity['fingerprint']}, this is {data.fingerprint}\n"
            "give the same --data-dir as then"
        )
    return data


def _recorded(options: Namespace, trial_id: str) -> dict[str, dict[int, float]]:
    store = open_existing(address.resolve_uri(options.tracking_uri, HOME.absolute()))
    run_id = store.find_trial(trial_id)
    if run_id is None:
        raise UserError(
            f"--replay {trial_id}: no such run in {errors.without_secrets(store.uri)}\n"
            "give the --tracking-uri of the search"
        )
    curves = {curve: store.history(run_id, curve) for curve in CURVES}
    return {curve: points for curve, points in curves.items() if points}


def _compare(
    console: Console,
    recorded: dict[str, dict[int, float]],
    again: dict[str, dict[int, float]],
) -> int:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("epoch", justify="right")
    for curve in recorded:
        table.add_column(curve, justify="right")
        table.add_column("then", justify="right")
    same = True
    for epoch in sorted(set().union(*again.values(), *recorded.values())):
        cells = []
        for curve in recorded:
            now, then = again[curve].get(epoch), recorded[curve].get(epoch)
            same &= now == then
            cells += ["" if v is None else f"{v:.6f}" for v in (now, then)]
        table.add_row(str(epoch), *cells)
    console.print(table)
    if same:
        console.print("the same curve, to the last digit", style="green")
        return 0
    console.print(
        f"not the same curve; this is {platform.machine()} with torch {torch.__version__}",
        style="yellow",
    )
    return FAILED
