"""Markdown tables from the published entries: every number is one of an entry."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from analysis import result_rows
from analysis.document import heads
from analysis.history.rank_transfer import compute_carrying
from analysis.publication.entries import Final, Json, Published, in_order
from analysis.records import BUILT_IN, SIX
from analysis.result_rows import MEASURES, PCA, RANDOM, SHARED, mean, with_interval
from analysis.writers import markdown
from analysis.writers.markdown import escape
from search.cells.metrics import TEST
from search.finals.comparisons import ABLATION, DEFAULTS, RANDOM_SEARCH
from search.spaces.pipeline import LATENT_DIM, METRIC, load_pipeline
from trainers.data import DATASETS

NOT_MEASURED = "not measured"
NONE = "-"
OWN = DEFAULTS, RANDOM_SEARCH, ABLATION
BASELINES = *OWN, RANDOM, *SHARED
with Path(__file__).with_name("others.csv").open(encoding="utf-8", newline="") as file:
    OTHERS = tuple(csv.reader(file))[1:]  # a result of somebody else each


def headline(published: Published) -> str:
    """The champions by each of the protocol's measures, and what they are measured against."""
    rows = [_champion(name, final) for name, final in published.champions().items()]
    heading = heads("pipeline | labels | layers | weights | n x epochs | s")
    against = (*OWN, "MAE", "PCA's MAE")
    shown = table((*heading, *MEASURES.values(), *against), rows, numbers=range(2, 14))
    note = f"\nProtocol {published.protocol}. On training / validation / **test** images.\n"
    if published.earlier:
        names = ", ".join(f"`{name}`" for name in published.earlier)
        note += f"Measured by an earlier protocol, and in no table: {names}.\n"
    return shown + note


def baselines(published: Published) -> str:
    """What the champions are measured against, each by the same measures; the shared rows once."""
    rows: dict[tuple[str, str], tuple[str, ...]] = {}
    for name, final in published.champions().items():
        for row in final.result["rows"][1:]:
            shared = row["name"] in SHARED
            dataset = load_pipeline(name).dataset
            images = DATASETS[dataset].title if final.data in BUILT_IN else final.data
            whose = images if shared else f"`{name}`"
            if row["name"] in BASELINES:
                rows.setdefault((whose, row["name"]), (str(len(row["seeds"])), *_measures(row)))
    shown = [(*named, *cells) for named, cells in rows.items()]
    return table(("", "row", "n", *MEASURES.values()), shown, numbers=range(2, 6))


def optimism(published: Published) -> str:
    """What the searches had promised of the champions, and what was kept of it."""
    rows = []
    for name, final in published.champions().items():
        row = final.champion
        valid, test = mean(row, METRIC), mean(row, TEST)
        promised = row.get("promised") if load_pipeline(name).metric == METRIC else None
        readings = final.result.get("readings", {}).get(str(published.protocol))
        values = (promised, valid, test, valid - test if valid and test else None)
        shown = ("" if value is None else f"{100 * value:.2f}" for value in values)
        rows.append((f"`{name}`", *shown, str(readings or "")))
    columns = heads("pipeline | promised | validation | test | validation - test | test readings")
    return table(columns, rows, numbers=range(1, 6))


def others(published: Published) -> str:
    """The results of others beside ours, each figure in the column of what it is."""
    rows: list[Sequence[str]] = []
    for name in SIX:
        if final := published.champion(name):
            mlp, linear, nearest = (_bold(final.champion, measure) for measure in MEASURES)
            joint = load_pipeline(name).uses_labels
            shown = linear, *((NONE, nearest, mlp) if joint else (mlp, nearest, NONE))
            rows.append((f"**{name}**", "ours", str(LATENT_DIM), *shown, ""))
        rows += [[cell or NONE for cell in row] for row in OTHERS if row[0] == name]
    columns = heads("what | numbers | linear % | MLP % | k-NN % | jointly trained % | source")
    return table(("", *columns), rows, numbers=range(2, 7))


def depths(published: Published) -> str:
    """The best of three layers beside the best of any size: champions and defaults compete."""
    rows = []
    for name in in_order(published.finals):
        every, three = published.rows(name), published.rows(name, depth=3)
        if not every:
            continue
        cells = _size(three[0]) if three else (NOT_MEASURED, "", "", "")
        rows.append((f"`{name}`", cells[0], *cells[2:], *_size(every[0])))
    columns = heads(
        "pipeline | three layers, test | width | weights | any size, test | layers | width "
        "| weights"
    )
    return table(columns, rows, numbers=range(1, 8))


def searches(published: Published) -> str:
    """Each search's budget."""
    rows = []
    for name in in_order(published.searches):
        for study in (search.study for search in published.searches[name]):
            states = [trial.state for trial in study.trials]
            best = study.complete[0].value if study.complete else None
            rows.append(
                (
                    f"`{name}`" + ", random search in equal time" * bool(study.twin_of),
                    str(len(states)),
                    *(str(states.count(state)) for state in ("COMPLETE", "PRUNED", "FAIL")),
                    str(sum(len(trial.loss) for trial in study.trials)),
                    f"{int(study.params['train_size']):,}",
                    f"{study.seconds / 60:.0f}",
                    "" if best is None else f"{100 * best:.2f}",
                    escape(study.tags.get("machine") or "unknown"),
                )
            )
    columns = heads(
        "pipeline | trials | complete | pruned | failed | epochs in all | images | minutes "
        "| best, validation | on"
    )
    return table(columns, rows, numbers=range(1, 9))


def carrying(published: Published) -> str:
    """Whether a short search's order held in long training."""
    rows = []
    for name in in_order(published.finals):
        for final in published.finals[name]:
            if one := compute_carrying(final.result["rows"]):
                counts = f"`{name}`", str(len(one)), str(one.epochs)
                rows.append((*counts, f"{one.rho:+.2f}", f"{one.p:.4f}"))
    columns = heads("pipeline | configurations | epochs | rank correlation | p")
    return table(columns, rows, numbers=range(1, 5))


def verdicts(published: Published) -> str:
    """The comparisons of the contrastive champions."""
    champions = published.champions().values()
    sentences = [c["verdict"] for final in champions for c in published.comparisons(final)]
    return "".join(f"- {escape(sentence)}.\n" for sentence in sentences) or f"{NOT_MEASURED}\n"


def commands(published: Published) -> str:
    """The calls that made all of it, in order."""
    called = []
    for name in in_order({**published.searches, **published.finals}):
        finals = sorted(published.finals.get(name, ()), key=Final.age)
        # On one line, where nothing closes the block that it stands in.
        of_pipeline = (*published.searches.get(name, ()), *finals)
        called += [" ".join(entry.command.split()) for entry in of_pipeline]
    once = dict.fromkeys(called)  # one makes a search and its twin
    return "\n".join(("```", *once, "python analysis/publish.py", "```", ""))


EVERY = headline, baselines, optimism, others, depths, searches, carrying, verdicts, commands
TABLES: Mapping[str, Callable[[Published], str]] = {make.__name__: make for make in EVERY}


# Cells ------------------------------------------------------------------------------------------


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()
) -> str:
    """As in `markdown.table`; a word where there are no rows."""
    return markdown.table(columns, rows, numbers=numbers) if rows else f"{NOT_MEASURED}\n"


def _champion(name: str, final: Final) -> tuple[str, ...]:
    row = final.champion
    _, layers, _, weights = _size(row)
    errors = (mean(one, "test/mae") for one in (row, final.row(PCA)))
    reconstructs = "test/mae" in row["metrics"]
    return (
        f"`{name}`",
        "yes" if row["uses_labels"] else "no",
        layers,
        weights,
        f"{len(row['seeds'])} x {row['epochs']}",
        f"{final.seconds:,.0f}",
        *_measures(row),
        *(with_interval(final.row(other), TEST) or NONE for other in OWN),
        *(f"{error:.4f}" if error and reconstructs else NONE for error in errors),
    )


def _measures(row: Json) -> Iterator[str]:
    for measure in MEASURES:
        *others, test = result_rows.measured(row, measure) or ("",)
        yield " / ".join((*others, f"**{test}**" if test.strip("-") else test))


def _bold(row: Json, measure: str) -> str:
    test = with_interval(row, f"test/{measure}")
    return f"**{test}**" if test else NONE


def _size(row: Json) -> tuple[str, str, str, str]:
    """Test accuracy, layers, width, weights."""
    layers, width = (escape(row["params"].get(name, "")) for name in ("depth", "width"))
    weights = row["metrics"].get("model/parameters", [0.0])[0]
    return f"{with_interval(row, TEST)}", layers, width, f"{weights:,.0f}"
