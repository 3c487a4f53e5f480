"""Markdown tables from the published entries: every number is one of an entry."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from analysis.history.rank_transfer import compute_carrying
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
from analysis.result_rows import ABLATION, DEFAULTS, PCA, PIXELS, RANDOM, mark, of_todays_classifier
from search.cells.metrics import TEST
from search.cells.statistics import estimate
from search.spaces.pipeline import METRIC

NOT_MEASURED = "not measured"
MARKS = re.compile(r"<(?=[A-Za-z/!?])|&(?=[#\w])|[|`*\[\]\\]")  # `p < 0.05` does not match
BASELINES = (DEFAULTS, ABLATION, RANDOM, PCA, PIXELS)


def headline(published: Published) -> str:
    """The champions beside what they are measured against, all on the test set."""
    champions = published.champions()
    rows = [_champion(name, entry) for name, entry in champions.items()]
    shown = table(
        ("pipeline", "epochs", "n", "validation", "**test**", "MAE", *BASELINES),
        rows,
        numbers=range(1, 11),
    )
    return shown + footnote([*champions.values()])


def others(published: Published) -> str:
    """The known results of others, and the champion's."""
    rows = []
    for other in OTHERS:
        entry = published.champion(other.pipeline)
        measured = (NOT_MEASURED, "", "", "") if entry is None else _measured(entry)
        rows.append((f"`{other.pipeline}`", other.assignment, other.nearby, *measured))
    return table(
        ("pipeline", "the same assignment", "best known nearby", "**ours**, test", "n", "s", "on"),
        rows,
        numbers=(4, 5),
    )


def goals(published: Published) -> str:
    """The goals on 2 CPU cores, with the accuracies reached in that time, and in any time."""
    rows = []
    for goal in GOALS:
        entries = [e for e in published.finals.get(goal.pipeline, ()) if tested(e)]
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


def gpu_goals(published: Published) -> str:
    """The goals on a GPU, with the accuracies measured on one, if there are any."""
    asked = [(g.pipeline, g.gpu) for g in GOALS if g.gpu] + list(GPU_ONLY)
    rows = []
    for pipeline, words in asked:
        there = [
            e for e in published.finals.get(pipeline, ()) if e["device"] == "cuda" and tested(e)
        ]
        best = max(there, key=standing, default=None)
        measured = (NOT_MEASURED, "", "", "") if best is None else _measured(best)
        rows.append((f"`{pipeline}`", words, *measured))
    return table(("pipeline", "asked", "test", "n", "s", "on"), rows, numbers=(3, 4))


def depths(published: Published) -> str:
    """The best of three layers beside the best of any size: champions and defaults compete."""
    rows = []
    for name in in_order(published.finals):
        every, three = published.rows(name), published.rows(name, depth=3)
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


def searches(published: Published) -> str:
    """Each search's budget."""
    rows = []
    for name in in_order(published.searches):
        for entry in published.searches[name]:
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
                    escape(entry["machine"] or "unknown"),
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


def carrying(published: Published) -> str:
    """Whether a short search's order held in long training."""
    rows = []
    for name in in_order(published.finals):
        for entry in published.finals[name]:
            one = compute_carrying(entry["rows"])
            if one:
                n = str(len(one))
                label = f"`{name}`{mark(entry)}"
                rows.append((label, n, str(one.epochs), f"{one.rho:+.2f}", f"{one.p:.4f}"))
    return table(
        ("pipeline", "configurations", "epochs", "rank correlation", "p"), rows, numbers=range(1, 5)
    )


def verdicts(published: Published) -> str:
    """The comparisons on each data set, as the contrastive champions have them.

    One that was trained without its ablation leaves open what the method brings: those of its
    pipeline's best rerun with one are said too, and after how many epochs.
    """
    sentences = []
    for name, entry in published.champions().items():
        sentences += [sentence + mark(entry) for sentence in entry["comparisons"]]
        if not row_of(entry, ABLATION):
            others = [other for other in published.finals[name] if row_of(other, ABLATION)]
            best = max(others, key=standing, default=None)
            if best:
                epochs = champion(best)["epochs"]
                comparisons = [
                    f"After {epochs} epochs {sentence}" for sentence in best["comparisons"]
                ]
                sentences += [sentence + mark(best) for sentence in comparisons]
    return "".join(f"- {escape(sentence)}.\n" for sentence in sentences) or f"{NOT_MEASURED}\n"


def commands(published: Published) -> str:
    """The calls that made all of it, in order."""
    called = []
    for name in in_order({**published.searches, **published.finals}):
        entries = [*published.searches.get(name, ())]
        entries += sorted(published.finals.get(name, ()), key=lambda e: str(e["made"]))
        # On one line, where nothing closes the block that it stands in.
        called += [" ".join(entry["command"].split()) for entry in entries]
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
    """`98.21 ± 0.30`; nothing where nobody measured it."""
    values = row["metrics"].get(metric) if row else None
    if not values:
        return ""
    value = estimate(values)
    return value.text(2, factor=100) if percent else value.text(4)


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()
) -> str:
    """Markdown; `numbers` are the columns to be set flush right."""
    if not rows:
        return f"{NOT_MEASURED}\n"
    rule = ["---:" if place in numbers else "---" for place in range(len(columns))]
    return "".join(f"| {' | '.join(line)} |\n" for line in (columns, rule, *rows))


def escape(value: object) -> str:
    """Turn a text from a run into words of one line: neither HTML nor marks of Markdown."""
    line = " ".join(str(value).split())
    return MARKS.sub(lambda sign: f"&#{ord(sign[0])};", line)


def footnote(entries: Sequence[Json]) -> str:
    """The note that † refers to, with each earlier classifier's settings; empty without †."""
    used = {entry.get("classifier") for entry in entries if not of_todays_classifier(entry)}
    if not used:
        return ""
    settings = "; ".join(sorted(escape(one or "not recorded") for one in used))
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
    threads, machine = entry["threads"], escape(entry["machine"] or "unknown")
    used = f"{machine}, {threads} thread{'s' * (threads != 1)}"
    shown = f"**{interval(row, TEST)}**{mark(entry)}"
    return shown, str(len(row["seeds"])), f"{seconds(entry):,.0f}", used


def _size(entry: Json, row: Json) -> tuple[str, str, str, str]:
    """Test accuracy, layers, width, weights."""
    layers, width = (escape(row["params"].get(name, "")) for name in ("depth", "width"))
    weights = row["metrics"].get("model/parameters", [0.0])[0]
    return f"{interval(row, TEST)}{mark(entry)}", layers, width, f"{weights:,.0f}"


def _asked(goal: Goal) -> str:
    time = "" if goal.seconds is None else f" in {goal.seconds:,.0f} s"
    return f"≥ {goal.accuracy:g} %{time}"


def _met(goal: Goal, entry: Json | None) -> str:
    """Whether the mean meets the goal, in words; empty where nobody measured it."""
    if entry is None:
        return ""
    values = champion(entry)["metrics"][TEST]
    return "yes" if 100 * sum(values) / len(values) >= goal.accuracy else "**no**"
