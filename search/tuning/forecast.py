"""`--dry-run`: forecast the time and the space of a search. It keeps and writes nothing."""

from __future__ import annotations

from argparse import Namespace

import numpy as np
from rich.table import Table

from search.cli import output, progress
from search.cli.images import images_in_words
from search.cli.listing import space_table
from search.cluster.throughput import time_training
from search.spaces import space
from search.tuning.plan import Plan, make_plan
from search.tuning.screen import aims_in_words

SAMPLED = 3
EVALUATION = 0.15  # measuring adds at most this share to the training, by design
TRAINED, COMPLETE = 0.45, 0.17  # of a search's epochs and trials, in replays of 20 to 150 trials
RECORD_MIB = 0.05  # MLflow's and Optuna's records of a trial, rounded up from a 50-trial study
PLOTS_MIB = 5.0


def forecast(options: Namespace) -> int:
    """Show the space, the resources, and the forecast; returns the exit status."""
    plan = make_plan(options)
    console = output.console()
    console.print(f"{plan.pipeline_name}: {plan.pipeline.summary}", style="bold")
    console.print(space_table(plan.space, plan.defaults, "trial 0"))
    resources, data = plan.resources, plan.data
    about = f"\n{images_in_words(data)}\n{resources.describe()}\n{aims_in_words(plan)}"
    output.say(console, about)
    if plan.known:
        output.say(console, plan.known.describe())
    rng = np.random.default_rng(plan.seed)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("images/s", "epoch", "weights", "configuration"):
        table.add_column(column, justify="left" if column == "configuration" else "right")
    seconds, mebibytes = [], []
    for _ in range(SAMPLED):
        params = space.draw(plan.space, rng)
        rate, size = time_training(plan.pipeline, params, data, resources, seed=plan.seed)
        seconds.append(len(data.train) / rate)
        mebibytes.append(size)
        table.add_row(
            f"{rate:,.0f}",
            progress.in_words(seconds[-1]),
            f"{size:.1f} MiB",
            progress.in_short(params),
        )
    how = "alone" if resources.sharers == 1 else f"{resources.sharers} at a time on a GPU"
    if resources.driver_device != resources.device:
        how = "alone here, without a GPU"
    console.print(f"one batch of {SAMPLED} sampled configurations, timed {how}:")
    console.print(table)
    epochs, complete = expected_epochs(plan)
    total = epochs * float(np.mean(seconds)) * (1 + EVALUATION) / resources.concurrency
    disk = complete * float(np.mean(mebibytes)) + plan.trials * RECORD_MIB + PLOTS_MIB
    console.print(
        f"\nforecast: {plan.trials} trials, about {epochs:.0f} epochs in all, "
        f"about {progress.in_words(total)} and {disk:.0f} MiB; nothing was written",
        style="bold",
        soft_wrap=True,
    )
    return 0


def expected_epochs(plan: Plan) -> tuple[float, float]:
    """(epochs of all trials together, trials that train to the end)."""
    if plan.scheduler == "none" or not plan.rungs:
        return float(plan.trials * plan.epochs), float(plan.trials)
    return max(1.0, TRAINED * plan.trials) * plan.epochs, max(1.0, COMPLETE * plan.trials)
