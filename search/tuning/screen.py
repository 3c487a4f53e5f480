"""Print the text before and after a search."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from search.cli import progress
from search.cli.images import images_in_words
from search.cli.output import say
from search.cluster.resources import Resources
from search.errors import INTERRUPTED, without_secrets
from search.spaces import goals
from search.study import plots, study as studies
from search.study.known import Known
from search.study.study import FrozenTrial, Study, TrialState
from search.tracking import address, views
from search.tuning.plan import Plan

MEANING = {
    "valid/view_information": ", how much a view's latent tells of which image it shows, in nats",
    "valid/neg_mae": ", the reconstructions' mean absolute error with a minus before it",
}
SHOWN = 5


def announce(
    console: Console,
    plan: Plan,
    resources: Resources,
    study: str,
    log_file: Path,
    missing: int,
    known: Known | None = None,
) -> None:
    """Print the plan of the search, its data, and where it writes its records."""
    trials = f"{max(0, missing)} trial{'s' * (missing != 1)}"
    if plan.twin_of:
        trials = f"trials for {plan.time_budget:.0f} s, as long as {plan.twin_of} took,"
    console.print(f"{study}: {plan.pipeline.summary}", style="bold", soft_wrap=True)
    say(
        console,
        f"{images_in_words(plan.data)}\n"
        f"{trials} of up to {plan.epochs} epochs; {plan.sampler} proposes, "
        f"{plan.scheduler} stops; {resources.describe()}\n"
        f"{aims_in_words(plan)}{_early(plan)}{_start(known)}"
        f"MLflow: {without_secrets(plan.tracking_uri)}\n"
        f"log: {log_file}\n",
    )


def aims_in_words(plan: Plan) -> str:
    """The goals and limits that are not the pipeline's own, a line each."""
    metric = plan.pipeline.metric
    lines = [f"{name}: {', '.join(t)}\n" for name, t in plan.aims.to_json(metric).items()]
    if not plan.data.classes:
        lines.append(f"no labels: trials are compared by {metric}{MEANING.get(metric, '')}\n")
    return "".join(lines)


def _start(known: Known | None) -> str:
    return f"{known.describe()}\n" if known else ""


def _early(plan: Plan) -> str:
    ends = [f"at {plan.target:g}"] if plan.target is not None else []
    ends += [f"after {plan.stop_after} trials without a better one"] if plan.stop_after else []
    return f"ends early: {', or '.join(ends)}\n" if ends else ""


def troubles(
    plan: Plan, log_file: Path, *, refused: int, waiting: int, broken: str | None
) -> list[str]:
    """The troubles of a search that went on, and how to fix them.

    Args:
        refused: the number of records that MLflow refused.
        waiting: the number of records that did not reach MLflow.
        broken: why the search ended early, if it did, and what to do.
    """
    texts = []
    if refused:
        texts.append(f"{refused} records did not reach MLflow; the reasons are in {log_file}")
    if waiting:
        store = without_secrets(plan.tracking_uri)
        texts.append(
            f"{waiting} record{'s' * (waiting > 1)} could not be written to {store}\n"
            "once it answers again: python search/doctor.py --fix, or go on with --resume"
        )
    if broken:
        texts.append(f"{broken}, and go on with --resume")
    return texts


def conclude(
    console: Console,
    plan: Plan,
    study: Study,
    *,
    experiment_id: str,
    status: int,
    exhausted: bool,
    enough: str | None = None,
) -> None:
    """Print the best trials, the parameters' importance, and the commands to run next."""
    counts = studies.counts(study)
    total = sum(counts.values())
    aims, ended, best = plan.aims, studies.ranked(study), studies.best_trials(study)
    console.print()
    if ended and not aims.several:
        console.print("Best trials")
        console.print(ranking(ended[:SHOWN], aims))
        console.print()
    elif best:
        console.print(f"Front: no trial is better in both {' and '.join(map(str, aims.goals))}")
        console.print(front(best, aims))
        console.print()
    shares, epoch = plots.importance(study)
    if shares:
        what = f"Importance of each parameter for {aims.metric} after epoch {epoch} (PED-ANOVA)"
        console.print(what)
        bars = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for name, share in shares.items():
            bars.add_row(name, f"{share:.2f}", "█" * round(30 * share))
        console.print(bars)
        console.print()
    tally = ", ".join(f"{counts[s]} {s.lower()}" for s in ("COMPLETE", "PRUNED", "FAIL"))
    wanted = f"{total} trials" if plan.twin_of else f"{total} of {plan.trials} trials"
    lines = [f"{study.study_name}: {wanted} ({tally})"]
    refused = len(studies.refused(study))
    if refused:
        lines.append(f"{refused} more proposals were beyond a limit before training, not trained")
    if aims.limits and not best:
        lines.append(_none_keeps(plan, study))
    if plan.data.source == "mini":
        lines.append("on stand-in data: this shows that the search works, not how well")
    if exhausted:
        lines.append(
            "no configuration was found that is untried and keeps the limits"
            if aims.limits
            else "every configuration of this space has been tried"
        )
    elif enough:
        lines.append(f"ended early:         {enough}")
    elif status == INTERRUPTED or not (plan.twin_of or total >= plan.trials):
        name = plan.twin_of or study.study_name
        lines.append(f"to go on:            {_resume_command(plan, name)}")
    lines += _where_to_compare(plan, experiment_id)
    if best and not aims.several:
        lines.append(f"train it again:      {_replay_command(plan, _id(best[0]))}")
    if best:
        trial = ["--trial", _id(best[0])] * aims.several
        others = ", or another's id" * aims.several
        lines.append(f"final numbers:       {_rerun_command(plan, trial)}{others}")
    say(console, "\n".join(lines))


def _id(trial: FrozenTrial) -> str:
    return str(trial.user_attrs[studies.CONFIG]["trial_id"])


def ranking(trials: Sequence[FrozenTrial], aims: goals.Aims) -> Table:
    """A line a parameter, so that any number of them fits; trials beyond a limit come last."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for place, trial in enumerate(trials):
        style = "bold" if place == 0 else ""
        table.add_column(f"trial {trial.number}", justify="right", style=style)
    table.add_row(aims.metric, *(f"{trial.values[0]:.4f}" for trial in trials), style="green")
    for limit in aims.limits:
        exceeded = [trial.constraints.get(str(limit), 0.0) for trial in trials]
        texts = ("kept" if share <= 0 else limit.beyond(share) for share in exceeded)
        table.add_row(str(limit), *texts, style="dim")
    for name in trials[0].params:
        table.add_row(name, *(progress.in_figures(trial.params[name]) for trial in trials))
    return table


def front(trials: Sequence[FrozenTrial], aims: goals.Aims) -> Table:
    """A line a trial."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("trial", *(goal.metric for goal in aims.goals)):
        table.add_column(column, justify="right")
    table.add_column("trial_id")
    table.add_column("parameters", overflow="fold")
    for trial in trials:
        values = (f"{value:.4f}" for value in trial.values)
        table.add_row(str(trial.number), *values, _id(trial), progress.in_short(trial.params))
    return table


def _none_keeps(plan: Plan, study: Study) -> str:
    """What no trial keeps, and which came nearest: a trained one, else one that was refused."""
    limits = ", ".join(map(str, plan.aims.limits))
    refused = sorted(studies.refused(study), key=studies.excess)
    nearest = next(iter([*studies.ranked(study), *refused]), None)
    if nearest is None:
        return f"no trial keeps {limits}: none was complete"
    word = "trial" if nearest.state is TrialState.COMPLETE else "untrained proposal"
    reason = goals.describe(nearest.constraints)
    return f"no trial keeps {limits}; the nearest is {word} {nearest.number}: {reason}"


def _where_to_compare(plan: Plan, experiment_id: str) -> list[str]:
    uri = without_secrets(plan.tracking_uri)
    if uri.startswith("http"):
        return [f"compare the trials:  {views.address(experiment_id, server=uri)}"]
    return [
        f"compare the trials:  mlflow ui --backend-store-uri {shlex.quote(uri)}",
        f"                     and open {views.address(experiment_id)}",
    ]


def _replay_command(plan: Plan, trial_id: str) -> str:
    """The command that trains a trial again."""
    data = plan.data_words if plan.data.source == "own" else ()
    words = ["--replay", trial_id, *data, *_unusual_store(plan)]
    return shlex.join(["python", "search/tune.py", *words])


def _unusual_store(plan: Plan) -> list[str]:
    if plan.tracking_uri == address.resolve_uri(None, plan.home):
        return []
    return ["--tracking-uri", without_secrets(plan.tracking_uri)]


def _rerun_command(plan: Plan, more: list[str]) -> str:
    """The command that makes the final numbers of what was searched here."""
    data = plan.data_words
    words = ["--pipeline", plan.pipeline_name, *data, *_unusual_store(plan), *more]
    return shlex.join(["python", "search/rerun.py", *words])


def _resume_command(plan: Plan, study: str) -> str:
    """The given command with the study's name, so that a resumed search has the same settings."""
    words = list(plan.arguments)
    kept: list[str] = []
    while words:
        word = words.pop(0)
        option, equals, _ = word.partition("=")
        if option in ("--study", "--trials", "--from"):
            if not equals:
                words.pop(0)
        elif option != "--resume":
            kept.append(without_secrets(word))
    goal = ["--study", study, "--trials", str(plan.trials), "--resume"]
    return shlex.join(["python", "search/tune.py", *kept, *goal])
