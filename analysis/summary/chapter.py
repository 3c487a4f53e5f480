"""The summary: champions, baselines and ablations, verdicts, what learning and tuning brought."""

from __future__ import annotations

from analysis import result_rows
from analysis.document import Block, Cell, Heading, Paragraph, Section, Table, heads
from analysis.records import Findings, PipelineRecord
from analysis.result_rows import MEASURES, PCA, PIXELS, RANDOM, SHARED
from analysis.summary import accuracies, verdicts
from search.finals.comparisons import DEFAULTS, RANDOM_SEARCH
from search.spaces.pipeline import LATENT_DIM

MEASURED = " | ".join(MEASURES.values())
OPENING = (
    f"Each pipeline maps an image to a latent vector of {LATENT_DIM} numbers and classifies "
    "from that vector alone, all with the same classifier. Configurations were searched and "
    "chosen on validation images; the champion of each was then trained again with fresh "
    "seeds, and only after that was the test set read."
)


def section(findings: Findings) -> Section:
    """The section `summary`."""
    records = list(findings.records.values())
    final = [record for record in records if record.final]
    blocks: list[Block] = [Paragraph(OPENING), _champions(records)]
    for dataset, spec in findings.specs.items():
        bars = accuracies.compute_bars(
            {record.name: record.result["rows"] for record in findings.of(dataset) if record.result}
        )
        if bars:
            blocks.append(accuracies.figure(spec, bars))
    blocks.append(Heading("Did the contrastive method succeed?"))
    blocks += verdicts.success(findings)
    if final:
        blocks += [Heading("What learning and tuning brought"), _gains(final)]
        blocks += [Heading("Baselines, ablations and runners-up"), _baselines(final)]
    return Section(id="summary", title="Summary", blocks=tuple(blocks))


# Champions --------------------------------------------------------------------------------------


def _champions(records: list[PipelineRecord]) -> Table:
    return Table(
        name="champions",
        title="The champions",
        columns=heads(
            f"pipeline | labels | {MEASURED} | n | test MAE | weights | training s | run"
        ),
        rows=tuple(map(_champion, records)),
        caption="Mean accuracy over n seeds on training / validation / test images, with the "
        "half-width of the last one's 95 % interval, over seeds and over test images: of the "
        "classifier, of a linear one and of the 20 nearest training images. Labels: whether the "
        "encoder's training looks at them. MAE: mean absolute reconstruction error, pixels in "
        "[0, 1]. Weights: those that the loss trains, of decoder, projection head and a jointly "
        "trained classifier too. Training time: of one seed, without evaluation. What is not final "
        "has the validation accuracy of its best trial, not measured again. Run: the first digits "
        "of its id in MLflow.",
    )


def _champion(record: PipelineRecord) -> tuple[Cell, ...]:
    labels = "yes" if record.pipeline.uses_labels else "no"
    row = result_rows.champion(record)
    if row is None:
        best = max((t.value or 0.0 for s in record.studies for t in s.complete), default=None)
        valid = None if best is None else f"- / {100 * best:.2f} / -"
        name = f"{record.name} (not final)"
        return (name, labels, valid, *[None] * 6, record.run_id[:8])
    parameters = result_rows.mean(row, "model/parameters")
    seconds = result_rows.mean(row, "time/train_seconds")
    return (
        record.name,
        labels,
        *(result_rows.in_one_cell(row, measure) for measure in MEASURES),
        len(row["seeds"]),
        result_rows.with_interval(row, "test/mae", percent=False),
        None if parameters is None else f"{parameters:,.0f}",
        None if seconds is None else f"{seconds:,.0f}",
        record.run_id[:8],
    )


# Tables below -----------------------------------------------------------------------------------


def _gains(final: list[PipelineRecord]) -> Table:
    """The gains of learning and of tuning, over seeds."""
    against = RANDOM, PCA, PIXELS, DEFAULTS, RANDOM_SEARCH
    lines = []
    for record in final:
        mine = result_rows.champion(record)
        gains = {n: result_rows.difference(mine, result_rows.find(record, n)) for n in against}
        shown = {name: result_rows.points(gain) for name, gain in gains.items()}
        if _is_untuned(record):
            shown[DEFAULTS] = "the champion is the defaults"
        lines.append((record.name, *shown.values()))
    return Table(
        name="gains",
        title="The champions' test accuracy above other rows",
        columns=heads(
            f"pipeline | over a {RANDOM} | over {PCA} | over {PIXELS} | over defaults "
            f"| over {RANDOM_SEARCH}"
        ),
        rows=tuple(lines),
        caption="Differences in percentage points, over seeds, with the half-width of their "
        "95 % interval (Welch's t). Random encoder: the same architecture, never trained. Random "
        "search: the best of one that took as long as the champion's search, trained as long as "
        "the champion.",
    )


def _is_untuned(record: PipelineRecord) -> bool:
    mine, defaults = result_rows.champion(record), result_rows.find(record, DEFAULTS)
    return bool(mine and defaults and mine["cells"] == defaults["cells"])


def _baselines(final: list[PipelineRecord]) -> Table:
    lines: list[tuple[Cell, ...]] = []
    seen: set[tuple[str, ...]] = set()
    for record in final:
        for row in (record.result or {})["rows"][1:]:
            cells = tuple(row["cells"])
            if row["name"] in SHARED and cells in seen:
                continue
            seen.add(cells)
            shared = record.data.spec.title
            whose = shared if row["name"] in SHARED else record.name
            labels = "yes" if row["uses_labels"] else "no"
            measures = (result_rows.in_one_cell(row, measure) for measure in MEASURES)
            error = result_rows.with_interval(row, "test/mae", percent=False)
            beside = len(row["seeds"]), error, row["note"]
            lines.append((whose, row["name"], labels, *measures, *beside))
    return Table(
        name="baselines",
        title="Rows that the champions are measured against",
        columns=heads(f"pipeline | row | labels | {MEASURED} | n | test MAE | what it is"),
        rows=tuple(lines),
        caption="As in the table of the champions. `config` rows are the other configurations "
        "that were trained again; the champion was chosen among them by validation, and the test "
        "set was not read for them.",
    )
