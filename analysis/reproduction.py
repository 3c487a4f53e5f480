"""How to make it all again: commands, seeds, data, versions, hardware, ids, all from the runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from analysis.document import Block, Bullets, Cell, Heading, Paragraph, Section, Table, heads
from analysis.records import Findings, PipelineRecord, StudyRecord, SweepRecord
from search.tracking import provenance

COMMIT = "mlflow.source.git.commit"
VERSIONS = ("python", "torch", "ray", "optuna", "mlflow")
# Options of a call that say where something is on the machine that was called.
HERE = re.compile(r" --(data-dir|json|tracking-uri)[ =]('[^']*'|\S+)")


def section(findings: Findings) -> Section:
    """The section `reproduction`."""
    records = list(findings.records.values())
    commands = [command for record in records for command in commands_of(record, findings)]
    commands += [sweep_command(record, mini=findings.mini) for record in findings.sweeps]
    blocks: list[Block] = [
        Paragraph(
            f"Everything in this report was read from {findings.source}. To make that again, with "
            "the same data in the same place:"
        ),
        Bullets(tuple(f"`{command}`" for command in [*commands, report_command(findings)])),
        *_orders(records),
    ]
    bullets = tuple(
        f"{name}: `{command}`"
        for name, command in findings.missing.items()
        if name in findings.expected or name in findings.records  # nobody need search the variants
    )
    if bullets:
        blocks += [Heading("What is missing, and the command that makes it"), Bullets(bullets)]
    blocks += [Heading("Where it ran"), Paragraph(_versions(records)), _runs(records)]
    if final := [record for record in records if record.result]:
        blocks.append(Paragraph(_readings(final)))
    return Section(id="reproduction", title="Reproduction", blocks=tuple(blocks))


# Commands ---------------------------------------------------------------------------------------


def commands_of(record: PipelineRecord, findings: Findings) -> list[str]:
    """The searches and the rerun of a pipeline as they would be called."""
    data = findings.data_words
    called = list(dict.fromkeys(search_command(record, study, data) for study in record.studies))
    if record.result:
        called.append(rerun_command(record.command))
    return called


def search_command(record: PipelineRecord, study: StudyRecord, more: Sequence[str] = ()) -> str:
    """The call that searches the same space for as many trials; `more` ends it.

    One call makes a study and its twin.
    """
    main = study.twin_of or study.name
    if main in [one.twin_of for one in record.studies]:
        study = next((one for one in record.studies if one.name == main), study)
        more = ["--baseline", "random", *more]
    return provenance.search_command(
        study.tags, study.params, trials=len(study.trials), images=len(record.data.train), more=more
    )


def rerun_command(called: str) -> str:
    """The same final numbers' call on any machine."""
    return HERE.sub("", called)


def sweep_command(record: SweepRecord, *, mini: bool) -> str:
    """The call that trains a sweep's grid."""
    outcome = record.outcome
    usual = record.sweep.quick if outcome.quick else record.sweep.full
    words = ["python", "search/sweep.py", "--sweep", record.name, *["--quick"] * outcome.quick]
    if outcome.seeds != usual.seeds:
        words += ["--seeds", str(outcome.seeds)]
    epochs, sizes = set(outcome.epochs.values()), set(outcome.train_size.values())
    if len(epochs) == 1 and epochs != {usual.epochs}:
        words += ["--epochs", str(epochs.pop())]
    if len(sizes) == 1 and sizes != {usual.train_size} and not mini:
        words += ["--train-size", str(sizes.pop())]
    return shlex.join(words + ["--data", "mini"] * mini)


def report_command(findings: Findings) -> str:
    """The call that makes this report."""
    words = ["python", "analysis/report.py", "--seed", str(findings.seed)]
    words += ["--points", str(findings.points), "--embedding", findings.embedding]
    return shlex.join([*words, *findings.data_words])


def _orders(records: list[PipelineRecord]) -> list[Block]:
    """Say what the same command does not repeat exactly."""
    studies = [study for record in records for study in record.studies]
    several = sum(int(study.params.get("concurrency", 1)) > 1 for study in studies)
    text = (
        f"In {several} of {len(studies)} studies several trials ran at a time: what is proposed "
        "next then depends on which ends first, so the same command may walk another way through "
        "the space. A trial itself is repeated exactly by `python search/tune.py --replay "
        "TRIAL_ID`; the ids are in MLflow, tag `trial_id`."
    )
    return [Paragraph(text)] if several else []


# Tables -----------------------------------------------------------------------------------------


def _readings(records: list[PipelineRecord]) -> str:
    """How often the test set was opened for the weights whose test numbers are shown."""
    readings = {
        cell: int(test["reading"]["reading"])
        for record in records
        for row in (record.result or {})["rows"]
        for cell, test in zip(row["cells"], row["test"], strict=False)
        if "reading" in test
    }
    if not readings:
        return "How often the test set was read is not stored with these runs."
    again = sum(count > 1 for count in readings.values())
    repeats = f"{again} times not for the first time with the same weights" * bool(again)
    return (
        f"The test set was read for {len(readings)} sets of weights behind the numbers above, "
        f"{repeats or 'once each'}. Every reading leaves a line in `mlruns/test_readings.jsonl`; "
        "the figures of this report, which show test images, are noted there too."
    )


def _runs(records: list[PipelineRecord]) -> Table:
    """Every run with what it was given; of the final ones as stored with the weights drawn."""
    lines: list[tuple[Cell, ...]] = []
    for record in records:
        for study in record.studies:
            given = ("device", "precision", "threads", "concurrency", "train_size")
            how = study.tags.get("seed"), *map(study.params.get, given)
            data = study.tags.get("data_fingerprint"), _short(study.tags.get(COMMIT))
            seconds = f"{study.seconds:,.0f}"
            lines.append((record.name, study.name, study.run_id, *how, seconds, *data))
        info, what = record.info, "best trial, not final"
        seeds = str(info.get("seed"))
        if record.result:
            model = record.result["model"]
            what = f"final numbers, models:/{model['name']}/{model['version']}"
            seeds = " ".join(map(str, record.result["rows"][0]["seeds"]))
        how = seeds, *(info.get(name) for name in ("device", "precision", "threads"))
        size, fingerprint = len(record.data.train), record.data.fingerprint
        rest = None, size, None, fingerprint, _short(info.get("commit"))
        lines.append((record.name, what, record.run_id, *how, *rest))
    weights = ", ".join(f"{record.weights} ({record.name})" for record in records)
    return Table(
        name="runs",
        title="The runs in MLflow",
        columns=heads(
            "pipeline | what | run id | seeds | device | precision | threads | at a time | images "
            "| s | data fingerprint | git commit"
        ),
        rows=tuple(lines),
        caption="Threads of a trial, trials at a time, training images, seconds from start to end. "
        "The fingerprint changes with any pixel, any label and any row of the split between "
        "training and validation images. A `+` behind a commit: the code was changed since it. "
        f"The figures are drawn from the weights {weights}.",
    )


def _versions(records: list[PipelineRecord]) -> str:
    """Which versions the runs were made with, and which runs where they differ."""
    runs_by_versions: dict[str, list[str]] = {}
    for record in records:
        tags_by_run = {f"study {study.name}": study.tags for study in record.studies}
        if record.result:
            tags_by_run[f"final numbers of {record.name}"] = record.info.get("versions", {})
        for what, tags in tags_by_run.items():
            installed = ", ".join(f"{name} {tags[name]}" for name in VERSIONS if tags.get(name))
            runs_by_versions.setdefault(installed or "unknown", []).append(what)
    if len(runs_by_versions) == 1:
        return f"All runs were made with {next(iter(runs_by_versions))}."
    lists = (f"{versions}: {', '.join(runs)}" for versions, runs in runs_by_versions.items())
    return f"The runs were made with different versions. {'. '.join(lists)}."


def _short(commit: object) -> str:
    """Twelve digits, and the `+` of code that was changed since."""
    text = str(commit or "")
    return text[:12] + "+" * text.endswith("+")
