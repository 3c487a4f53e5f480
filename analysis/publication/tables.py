"""Markdown tables from the published entries: every number is one of an entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from analysis import rows as rows_of_reruns
from analysis.history.carrying import compute_carrying
from analysis.publication.entries import (
    Json,
    Published,
    champion,
    in_order,
    row_of,
    seconds,
    standing,
    tested,
)
from analysis.publication.goals import GOALS, GPU_ONLY, OTHERS, Goal
from analysis.rows import ABLATION, DEFAULTS, PCA, PIXELS, RANDOM, mark, of_todays_classifier
from search.finals.comparisons import estimate
from search.finals.results import TEST
from search.pipeline import METRIC

NOT_MEASURED = "not measured"
BASELINES = (DEFAULTS, ABLATION, RANDOM, PCA, PIXELS)


def headline(found: Published) -> str:
    """The champions beside what they are measured against, all on the test set."""
    champions = found.champions()
    rows = [_champion(name, entry) for name, entry in champions.items()]
    shown = table(
        ("pipeline", "epochs", "n", "validation", "**test**", "MAE", *BASELINES),
        rows,
        numbers=range(1, 11),
    )
    return shown + footnote([*champions.values()])


def others(found: Published) -> str:
    """What is known of others, and the champion."""
    rows = []
    for other in OTHERS:
        entry = found.champion(other.pipeline)
        measured = (NOT_MEASURED, "", "", "") if entry is None else _measured(entry)
        rows.append((f"`{other.pipeline}`", other.assignment, other.nearby, *measured))
    return table(
        ("pipeline", "the same assignment", "best known nearby", "**ours**, test", "n", "s", "on"),
        rows,
        numbers=(4, 5),
    )


def goals(found: Published) -> str:
    """What was asked for on 2 CPU cores, what was reached in that time, and in any time."""
    rows = []
    for goal in GOALS:
        entries = [e for e in found.finals.get(goal.pipeline, ()) if tested(e)]
        within = [e for e in entries if goal.seconds is None or seconds(e) <= goal.seconds]
        inside, ever = (max(some, key=standing, default=None) for some in (within, entries))
        shown = _measured(inside) if inside else (NOT_MEASURED, "", "", "")
        longer = "" if ever in (None, inside) else "{} in {} s".format(*_measured(ever)[::2])
        rows.append((f"`{goal.pipeline}`", _asked(goal), *shown, longer, _met(goal, inside)))
    return table(
        ("pipeline", "asked", "test, in that time", "n", "s", "on", "in more time", "met"),
        rows,
        numbers=(3, 4),
    )


def gpu_goals(found: Published) -> str:
    """What was asked for on a GPU: beside it what one measured, if one did."""
    asked = [(g.pipeline, g.gpu) for g in GOALS if g.gpu] + list(GPU_ONLY)
    rows = []
    for pipeline, words in asked:
        there = [e for e in found.finals.get(pipeline, ()) if e["device"] == "cuda" and tested(e)]
        best = max(there, key=standing, default=None)
        measured = (NOT_MEASURED, "", "", "") if best is None else _measured(best)
        rows.append((f"`{pipeline}`", words, *measured))
    return table(("pipeline", "asked", "test", "n", "s", "on"), rows, numbers=(3, 4))


def depths(found: Published) -> str:
    """The best of three layers beside the best of any size: champions and defaults compete."""
    rows = []
    for name in in_order(found.finals):
        every, three = found.rows(name), found.rows(name, depth=3)
        if not every:
            continue
        cells = _size(*three[0]) if three else (NOT_MEASURED, "", "", "")
        rows.append((f"`{name}`", cells[0], *cells[2:], *_size(*every[0])))
    return table(
        (
            *("pipeline", "three layers, test", "width", "weights"),
            *("any size, test", "layers", "width", "weights"),
        ),
        rows,
        numbers=range(1, 8),
    )


def searches(found: Published) -> str:
    """Each search's budget."""
    rows = []
    for name in in_order(found.searches):
        for entry in found.searches[name]:
            states = [trial["state"] for trial in entry["trials"]]
            best = entry["best"]
            rows.append(
                (
                    f"`{name}`",
                    str(len(states)),
                    *(str(states.count(state)) for state in ("COMPLETE", "PRUNED", "FAIL")),
                    str(sum(trial["epochs"] for trial in entry["trials"])),
                    f"{int(entry['train_size']):,}",
                    f"{entry['seconds'] / 60:.0f}",
                    "" if best is None else f"{100 * best['value']:.2f}",
                    str(entry["machine"] or "unknown"),
                )
            )
    return table(
        (
            *("pipeline", "trials", "complete", "pruned", "failed", "epochs in all"),
            *("images", "minutes", "best, validation", "on"),
        ),
        rows,
        numbers=range(1, 9),
    )


def carrying(found: Published) -> str:
    """Whether a short search's order held in long training."""
    rows = []
    for name in in_order(found.finals):
        for entry in found.finals[name]:
            one = compute_carrying(entry["rows"])
            if one:
                n = str(len(one))
                said = f"`{name}`{mark(entry)}"
                rows.append((said, n, str(one.epochs), f"{one.rho:+.2f}", f"{one.p:.4f}"))
    return table(
        ("pipeline", "configurations", "epochs", "rank correlation", "p"), rows, numbers=range(1, 5)
    )


def verdicts(found: Published) -> str:
    """The comparisons on each data set, as the contrastive champions have them.

    One that was trained without its ablation leaves open what the method brings: those of its
    pipeline's best rerun with one are said too, and after how many epochs.
    """
    said = []
    for name, entry in found.champions().items():
        said += [sentence + mark(entry) for sentence in entry["comparisons"]]
        if not row_of(entry, ABLATION):
            others = [other for other in found.finals[name] if row_of(other, ABLATION)]
            best = max(others, key=standing, default=None)
            if best:
                epochs = champion(best)["epochs"]
                told = [f"After {epochs} epochs {sentence}" for sentence in best["comparisons"]]
                said += [sentence + mark(best) for sentence in told]
    return "".join(f"- {sentence}.\n" for sentence in said) or f"{NOT_MEASURED}\n"


def commands(found: Published) -> str:
    """The calls that made all of it, in order."""
    called = []
    for name in in_order({**found.searches, **found.finals}):
        entries = [*found.searches.get(name, ())]
        entries += sorted(found.finals.get(name, ()), key=lambda e: str(e["made"]))
        called += [entry["command"] for entry in entries]
    return "\n".join(("```", *called, "python analysis/publish.py", "```", ""))


TABLES: Mapping[str, Callable[[Published], str]] = {
    "headline": headline,
    "others": others,
    "goals": goals,
    "gpu_goals": gpu_goals,
    "depths": depths,
    "searches": searches,
    "carrying": carrying,
    "verdicts": verdicts,
    "commands": commands,
}


# Cells ------------------------------------------------------------------------------------------


def interval(row: Json | None, metric: str, *, percent: bool = True) -> str:
    """`98.21 ± 0.30`; nothing where it was not measured."""
    values = row["metrics"].get(metric) if row else None
    if not values:
        return ""
    found = estimate(values)
    return rows_of_reruns.interval(found.mean, found.high, percent=percent)


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()
) -> str:
    """Markdown; `numbers` are the columns to be set flush right."""
    if not rows:
        return f"{NOT_MEASURED}\n"
    rule = ["---:" if place in numbers else "---" for place in range(len(columns))]
    return "".join(f"| {' | '.join(line)} |\n" for line in (columns, rule, *rows))


def footnote(entries: Sequence[Json]) -> str:
    """What † says, with the settings of each earlier classifier; empty where none is shown."""
    used = {entry.get("classifier") for entry in entries if not of_todays_classifier(entry)}
    if not used:
        return ""
    settings = "; ".join(sorted(str(one or "not recorded") for one in used))
    return (
        f"\n† The whole row was measured by an earlier classifier ({settings}): not to be compared "
        "with a row without †.\n"
    )


def _champion(name: str, entry: Json) -> tuple[str, ...]:
    row = champion(entry)
    return (
        f"`{name}`{mark(entry)}",
        str(row["epochs"]),
        str(len(row["seeds"])),
        interval(row, METRIC),
        f"**{interval(row, TEST)}**",
        interval(row, "test/mae", percent=False).partition(" ")[0],
        *(interval(row_of(entry, other), TEST).partition(" ")[0] for other in BASELINES),
    )


def _measured(entry: Json) -> tuple[str, str, str, str]:
    """Test accuracy, seeds, seconds, machine."""
    row = champion(entry)
    threads, machine = entry["threads"], entry["machine"] or "unknown"
    used = f"{machine}, {threads} thread{'s' * (threads != 1)}"
    shown = f"**{interval(row, TEST)}**{mark(entry)}"
    return shown, str(len(row["seeds"])), f"{seconds(entry):,.0f}", used


def _size(entry: Json, row: Json) -> tuple[str, str, str, str]:
    """Test accuracy, layers, width, weights."""
    layers, width = (str(row["params"].get(name, "")) for name in ("depth", "width"))
    weights = row["metrics"].get("model/parameters", [0.0])[0]
    return f"{interval(row, TEST)}{mark(entry)}", layers, width, f"{weights:,.0f}"


def _asked(goal: Goal) -> str:
    time = "" if goal.seconds is None else f" in {goal.seconds:,.0f} s"
    return f"≥ {goal.accuracy:g} %{time}"


def _met(goal: Goal, entry: Json | None) -> str:
    """By the mean; nothing is said where nothing was measured."""
    if entry is None:
        return ""
    values = champion(entry)["metrics"][TEST]
    return "yes" if 100 * sum(values) / len(values) >= goal.accuracy else "**no**"
