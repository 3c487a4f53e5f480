"""The screen of a rerun: its announcement, a table a pipeline, the verdicts."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from search.cells.metrics import LINEAR, NEAREST, TEST
from search.cells.statistics import Estimate
from search.cli.images import images_in_words
from search.cli.output import say
from search.finals.comparisons import Comparison, verdict
from search.finals.plan import FinalPlan
from search.finals.results import Result
from search.spaces.pipeline import METRIC
from search.tracking import views
from search.tracking.store import Store

COLUMNS = {
    "train/accuracy": "train",
    METRIC: "valid",
    TEST: "test",
    LINEAR: "linear",
    NEAREST: "k-NN",
    "test/mae": "MAE",
    "test/elbo": "ELBO",
    "test/rankme": "RankMe",
    "test/view_information": "views",
    "model/parameters": "weights",
    "time/train_seconds": "s",
}


def announce(console: Console, plan: FinalPlan) -> None:
    """Announce the trainings to come."""
    for notice in plan.notices:
        console.print(notice, style="yellow", markup=False)
    console.print(f"{plan.experiment}: final numbers", style="bold")
    say(
        console,
        f"{images_in_words(plan.data)}\n"
        f"{len(plan.candidates)} configurations x {len(plan.seeds)} fresh seeds, "
        f"{_epochs(plan)}; {plan.resources.describe()}",
    )
    for number, candidate in enumerate(plan.candidates, start=1):
        promised = "" if candidate.promised is None else f", promised {candidate.promised:.4f}"
        console.print(f"  config {number}: {candidate.source}{promised}", markup=False)


def show(console: Console, plan: FinalPlan, result: Result) -> None:
    """The pipeline's table, and what the search had promised."""
    n = len(plan.seeds)
    stand_in = " (stand-in data, not a result)" if plan.mini else ""
    console.print()
    title = f"{result.experiment}{stand_in}: %, {n} seed{'s' * (n > 1)}, 95 % interval"
    console.print(title, style="bold", markup=False)
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True)
    shown = {m: t for m, t in COLUMNS.items() if any(row.estimate(m) for row in result.rows)}
    for title in shown.values():
        table.add_column(title, justify="right", no_wrap=True)
    named = [("champion" if row is result.champion else row.name, row) for row in result.rows]
    for name, row in named:
        cells = [_cell(metric, row.estimate(metric)) for metric in shown]
        table.add_row(name, *cells, style="green" if row is result.champion else "")
    console.print(table)
    after = ", ".join(name for m, name in shown.items() if m.startswith("test/") and m != TEST)
    if after:
        console.print(f"  {after}: on test images too", style="dim", markup=False)
    for name, row in named:
        say(console, f"  {name}: {row.note}", "dim")
    for what, why in result.failures.items():
        console.print(f"not trained: {what}: {why}", style="red", markup=False)
    if result.optimism is not None:
        mean = result.champion.estimate(result.metric)
        assert mean is not None
        points = f"{100 * result.optimism:+.2f} points"
        nats = f"{result.optimism:+.4f} of {result.metric}"
        console.print(
            f"the search promised {result.promised:.4f} on validation images, fresh seeds gave "
            f"{mean.mean:.4f}: optimism {points if result.metric == METRIC else nats}",
            markup=False,
        )
    for sentence in learned_and_tuned(result):
        console.print(sentence, markup=False)


def learned_and_tuned(result: Result) -> list[str]:
    """Say how much learning and how much tuning brought, on the test set."""
    champion = result.champion.estimate(TEST)
    sentences = []
    for name, what in (
        ("random encoder", "learning brought"),
        ("PCA", "against PCA"),
        ("defaults", "tuning brought"),
        ("random search", "against random search"),
    ):
        row = result.row(name)
        other = row.estimate(TEST) if row else None
        if champion and other:
            if row and row.kept == result.champion.kept:
                sentences.append(f"{what} nothing: the champion is the defaults")
            else:
                sentences.append(f"{what} {100 * (champion.mean - other.mean):+.2f} points")
    return ["; ".join(sentences)] if sentences else []


def show_comparisons(console: Console, compared: Mapping[str, Sequence[Comparison]]) -> None:
    """The verdicts, computed."""
    for experiment, comparisons in compared.items():
        console.print(f"\n{experiment}, test accuracy, Holm-corrected", style="bold")
        for comparison in comparisons:
            say(console, f"  {verdict(comparison)}")


def conclude(console: Console, results: Sequence[Result], store: Store) -> None:
    """Where everything lives."""
    console.print()
    on_server = store.shown.startswith("http")
    server = store.shown if on_server else views.LOCAL_SERVER
    for result in results:
        say(
            console,
            f"{result.experiment}: MLflow run {result.run_id}, model "
            f"models:/{result.model['name']}@{result.model['alias']} "
            f"(version {result.model['version']}), mlruns/champions/{result.experiment}.json",
        )
        where = views.address(result.experiment_id, views.FINALS, server=server)
        say(console, f"  table: {where}")
    if results and not on_server:
        say(console, f"compare: mlflow ui --backend-store-uri {shlex.quote(store.shown)}")


def _epochs(plan: FinalPlan) -> str:
    budgets = sorted(set(plan.budgets))
    return f"{' or '.join(map(str, budgets))} epoch{'s' * (budgets != [1])}"


def _cell(metric: str, estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    if metric == "model/parameters":
        return f"{estimate.mean / 1000:,.0f}k" if estimate.mean else ""
    if metric.startswith("time/"):
        return f"{estimate.mean:.0f}"
    if metric.endswith("mae"):
        return f"{estimate.mean:.4f}"
    if metric.endswith(("elbo", "rankme", "information")):
        return f"{estimate.mean:.2f}"
    if metric == TEST:
        return estimate.text(2, factor=100)
    return f"{100 * estimate.mean:.2f}"
