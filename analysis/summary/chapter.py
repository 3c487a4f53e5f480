"""The summary: champions, baselines and ablations, verdicts, what learning and tuning brought."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from analysis import result_rows
from analysis.captions import title_of
from analysis.document import Block, Bullets, Cell, Heading, Paragraph, Section, Table, heads
from analysis.records import SIX, Findings, PipelineRecord
from analysis.result_rows import MEASURES, PCA, PIXELS, RANDOM, SHARED
from analysis.summary import accuracies, verdicts
from search.cells.metrics import TEST
from search.finals.comparisons import DEFAULTS, RANDOM_SEARCH
from search.spaces.pipeline import LATENT_DIM
from trainers.data import DATASETS

MEASURED = " | ".join(MEASURES.values())


def section(findings: Findings) -> Section:
    """The section `summary`."""
    records = list(findings.records.values())
    final = [record for record in records if record.final]
    blocks: list[Block] = [*_opening(findings), _champions(records)]
    for dataset in DATASETS:
        bars = accuracies.compute_bars(
            {record.name: record.result["rows"] for record in findings.of(dataset) if record.result}
        )
        if bars:
            blocks.append(accuracies.figure(dataset, bars))
    blocks.append(Heading("Did the contrastive method succeed?"))
    blocks += [Paragraph(text) for text in verdicts.success(findings)]
    sentences = [one.verdict for r in final for one in verdicts.compute_verdicts(r, findings)]
    if sentences:
        blocks += [
            Paragraph(
                "The tests behind it, on test accuracy: Welch's *t*, with the variance over the "
                "test images beside those over seeds; corrected by Holm for the comparisons that "
                "were fixed beforehand."
            ),
            Bullets(tuple(f"{sentence}." for sentence in sentences)),
        ]
    if final:
        blocks += [Heading("What learning and tuning brought"), *_gains(final)]
        blocks += [Heading("Baselines, ablations and runners-up"), _baselines(final)]
    if any("test/mae" in (result_rows.champion(record) or {})["metrics"] for record in final):
        blocks.append(_errors(final))
    return Section(id="summary", title="Summary", blocks=tuple(blocks))


# Champions --------------------------------------------------------------------------------------


def _opening(findings: Findings) -> Iterator[Paragraph]:
    final = [findings.records[name] for name in SIX if name in findings.records]
    final = [record for record in final if record.final]
    yield Paragraph(
        f"Each pipeline maps an image to a latent vector of {LATENT_DIM} numbers and classifies "
        "from that vector alone, all with the same classifier. Configurations were searched and "
        "chosen on validation images; the champion of each was then trained again with fresh "
        "seeds, and only after that was the test set read."
    )
    if not final:
        return
    ranked = sorted(final, key=lambda r: result_rows.mean(result_rows.champion(r), TEST) or 0.0)
    reached = {r.name: result_rows.with_interval(result_rows.champion(r), TEST) for r in ranked}
    sentences = []
    for dataset, spec in DATASETS.items():
        of_dataset = [record for record in reversed(ranked) if record.dataset == dataset]
        order = ", ".join(f"{r.method} {reached[r.name]} %" for r in of_dataset)
        sentences += [f"**{spec.title}**, test accuracy: {order}."] if order else []
    if len(ranked) > 1:
        lowest = f"{title_of(ranked[0])} with {reached[ranked[0].name]} %"
        sentences.append(f"The lowest of the {len(ranked)} is {lowest}.")
    yield Paragraph(" ".join(sentences))


def _champions(records: list[PipelineRecord]) -> Table:
    lines = [_champion(record) for record in records]
    rows = filter(None, map(result_rows.champion, records))
    counts = sorted({len(row["seeds"]) for row in rows})
    seeds = f"over n = {' or '.join(map(str, counts))} seeds" if counts else "over seeds"
    return Table(
        name="champions",
        title="The champions",
        columns=heads(
            f"pipeline | labels | {MEASURED} | n | test MAE | weights | training s | run"
        ),
        rows=tuple(lines),
        caption=f"Mean accuracy {seeds} on training / validation / test images, with the "
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


def _gains(final: list[PipelineRecord]) -> list[Block]:
    """The gains of learning and of tuning, over seeds."""
    differences: dict[str, dict[str, float]] = {RANDOM: {}, DEFAULTS: {}}
    lines = []
    untuned = [record.name for record in final if _is_untuned(record)]
    for record in final:
        mine = result_rows.champion(record)
        names = RANDOM, PCA, PIXELS, DEFAULTS, RANDOM_SEARCH
        gains = {n: result_rows.difference(mine, result_rows.find(record, n)) for n in names}
        shown = {name: result_rows.points(gain) for name, gain in gains.items()}
        if record.name in untuned:
            gains[DEFAULTS], shown[DEFAULTS] = None, "the champion is the defaults"
        for name, kept in differences.items():
            if (gain := gains[name]) is not None:
                kept[record.name] = gain.mean
        lines.append((record.name, *shown.values()))
    sentences = [
        *_range("Learning", "the same architecture, never trained", differences[RANDOM]),
        *_range("Tuning", "the pipeline's untuned defaults", differences[DEFAULTS]),
    ]
    if untuned:
        nothing = "The search found nothing better than the defaults for"
        sentences.append(f"{nothing} {', '.join(untuned)}.")
    table = Table(
        name="gains",
        title="The champions' test accuracy above other rows",
        columns=heads(
            f"pipeline | over a {RANDOM} | over {PCA} | over {PIXELS} | over defaults "
            f"| over {RANDOM_SEARCH}"
        ),
        rows=tuple(lines),
        caption="Differences in percentage points, over seeds, with the half-width of their "
        "95 % interval (Welch's t). Random search: the best of one that took as long as the "
        "champion's search, trained as long as the champion.",
    )
    return [*([Paragraph(" ".join(sentences))] if sentences else []), table]


def _is_untuned(record: PipelineRecord) -> bool:
    mine, defaults = result_rows.champion(record), result_rows.find(record, DEFAULTS)
    return bool(mine and defaults and mine["cells"] == defaults["cells"])


def _range(what: str, against: str, gains: Mapping[str, float]) -> list[str]:
    if not gains:
        return []
    most, least = max(gains, key=gains.__getitem__), min(gains, key=gains.__getitem__)
    text = f"**{what}**, measured against {against}, brought {100 * gains[most]:+.2f} points"
    if most == least:
        return [f"{text} for {most}."]
    return [f"{text} at most ({most}) and {100 * gains[least]:+.2f} at least ({least})."]


def _baselines(final: list[PipelineRecord]) -> Table:
    lines: list[tuple[Cell, ...]] = []
    seen: set[tuple[str, ...]] = set()
    for record in final:
        for row in (record.result or {})["rows"][1:]:
            cells = tuple(row["cells"])
            if row["name"] in SHARED and cells in seen:
                continue
            seen.add(cells)
            shared = DATASETS[record.dataset].title
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


def _errors(final: list[PipelineRecord]) -> Table:
    """Reconstruction errors of champions with a decoder, ablations, PCA."""
    lines: dict[str, tuple[Cell, ...]] = {}
    for record in final:
        for number, row in enumerate((record.result or {})["rows"]):
            if result_rows.mean(row, "test/mae") is None:
                continue
            name = "champion" if number == 0 else row["name"]
            whose = DATASETS[record.dataset].title if name in SHARED else record.name
            metrics = "train/mae", "valid/mae", "test/mae"
            errors = [result_rows.with_interval(row, m, percent=False) for m in metrics]
            lines.setdefault(f"{whose} {name}", (whose, name, *errors, len(row["seeds"])))
    return Table(
        name="reconstruction_errors",
        title="Mean absolute reconstruction error",
        columns=("pipeline", "row", "train MAE", "validation MAE", "test MAE", "n"),
        rows=tuple(lines.values()),
        caption="Everything that has a decoder, pixels in [0, 1], with the half-width of the "
        "95 % interval over seeds.",
    )
