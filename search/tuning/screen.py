"""The words before and after a search."""

from __future__ import annotations

import shlex
from pathlib import Path

import optuna
from rich.console import Console

from search import display, plots, run_table, study as studies, tracking_address
from search.errors import INTERRUPTED
from search.plan import Plan

SHOWN = 5


def announce(console: Console, plan: Plan, study: str, log_file: Path, missing: int) -> None:
    """What will be searched, on what, how, and where it is written."""
    data = plan.data
    where = "stand-in data, not a result" if data.source == "mini" else str(data.folder)
    trials = f"{max(0, missing)} trial{'s' * (missing != 1)}"
    console.print(f"{study}: {plan.pipeline.summary}", style="bold", soft_wrap=True)
    console.print(
        f"{len(data.train):,} train and {len(data.valid):,} validation images ({where})\n"
        f"{trials} of up to {plan.epochs} epochs; {plan.sampler} proposes, "
        f"{plan.scheduler} stops; {plan.resources.describe()}\n"
        f"MLflow: {tracking_address.without_secrets(plan.tracking_uri)}\n"
        f"log: {log_file}\n",
        soft_wrap=True,
        markup=False,
    )


def tell_troubles(
    console: Console, plan: Plan, log_file: Path, refused: int, waiting: int, broken: str | None
) -> None:
    """What went wrong though the search went on, and how to mend it.

    Args:
        refused: records that MLflow did not take.
        waiting: records that it could not be asked to take.
        broken: why the search ended early.
    """
    told = []
    if refused:
        told.append(f"{refused} records did not reach MLflow; the reasons are in {log_file}")
    if waiting:
        store = tracking_address.without_secrets(plan.tracking_uri)
        told.append(
            f"{waiting} record{'s' * (waiting > 1)} could not be written to {store}\n"
            "once it answers again: python search/doctor.py --fix, or go on with --resume"
        )
    if broken:
        told.append(f"{broken}\nmake room, and go on with --resume")
    for text in told:
        console.print(text, style="red", soft_wrap=True, markup=False)


def conclude(
    console: Console,
    plan: Plan,
    study: optuna.Study,
    *,
    experiment_id: str,
    status: int,
    exhausted: bool,
) -> None:
    """The best trials, what mattered, and what to do next."""
    counts = studies.counts(study)
    total = sum(counts.values())
    best = studies.best_trials(study, SHOWN)
    console.print()
    if best:
        rows = [(t.number, t.value or 0.0, t.params) for t in best]
        display.ranking(console, rows, metric=plan.pipeline.metric)
        console.print()
    shares, epoch = plots.importance(study)
    if shares:
        display.importances(console, shares, metric=plan.pipeline.metric, epoch=epoch)
        console.print()
    told = ", ".join(f"{counts[s]} {s.lower()}" for s in ("COMPLETE", "PRUNED", "FAIL"))
    lines = [f"{study.study_name}: {total} of {plan.trials} trials ({told})"]
    if plan.data.source == "mini":
        lines.append("on stand-in data: this shows that the search works, not how well")
    if exhausted:
        lines.append("every configuration of this space has been tried")
    elif status == INTERRUPTED or total < plan.trials:
        lines.append(f"to go on:            {_resume_command(plan, study.study_name)}")
    lines += _where_to_compare(plan, experiment_id)
    if best:
        trial_id = best[0].user_attrs[studies.CONFIG]["trial_id"]
        lines.append(f"train it again:      {_replay_command(plan, trial_id)}")
    console.print("\n".join(lines), soft_wrap=True, markup=False)


def _where_to_compare(plan: Plan, experiment_id: str) -> list[str]:
    uri = tracking_address.without_secrets(plan.tracking_uri)
    if uri.startswith("http"):
        return [f"compare the trials:  {run_table.address(experiment_id, server=uri)}"]
    return [
        f"compare the trials:  mlflow ui --backend-store-uri {uri}",
        f"                     and open {run_table.address(experiment_id)}",
    ]


def _replay_command(plan: Plan, trial_id: str) -> str:
    """With the store that it is compared with, where that had to be given."""
    usual = tracking_address.resolve_uri(None, plan.home)
    store = tracking_address.without_secrets(plan.tracking_uri)
    words = [] if plan.tracking_uri == usual else ["--tracking-uri", store]
    return shlex.join(["python", "search/tune.py", "--replay", trial_id, *words])


def _resume_command(plan: Plan, study: str) -> str:
    """The command as it was given, with the study named, so that nothing else has changed."""
    words = list(plan.arguments)
    kept: list[str] = []
    while words:
        word = words.pop(0)
        option, equals, _ = word.partition("=")
        if option in ("--study", "--trials"):
            if not equals:
                words.pop(0)
        elif option != "--resume":
            kept.append(tracking_address.without_secrets(word))
    goal = ["--study", study, "--trials", str(plan.trials), "--resume"]
    return shlex.join(["python", "search/tune.py", *kept, *goal])
