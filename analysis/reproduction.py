"""How to make it all again: commands, seeds, data, versions, hardware, ids, all from the runs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.document import Block, Bullets, Cell, Heading, Paragraph, Section, Table, heads
from analysis.records import SIX, Findings, PipelineRecord, StudyRecord, SweepRecord
from analysis.result_rows import ABLATION, DEFAULTS, RANDOM_SEARCH
from search.cells.seeds import final_seeds
from search.finals.candidates import CHANGED
from search.tracking import provenance

COMMIT = "mlflow.source.git.commit"
VERSIONS = ("python", "torch", "ray", "optuna", "mlflow")
BASE_SEEDS = range(100)  # that a rerun's seeds are looked for under; its default is 0


def section(findings: Findings) -> Section:
    """The section `reproduction`."""
    records = list(findings.records.values())
    commands = [command for record in records for command in commands_of(record, findings)]
    commands += [sweep_command(record, mini=findings.mini) for record in findings.sweeps]
    blocks: list[Block] = [
        Paragraph(
            "Everything in this report was read from MLflow's runs at "
            f"`{findings.tracking_uri}`. To make those again, with the same data in the same "
            "place:"
        ),
        Bullets(tuple(f"`{command}`" for command in [*commands, report_command(findings)])),
        *_orders(records),
    ]
    bullets = tuple(
        f"{name}: `{command}`"
        for name, command in findings.missing.items()
        if name in SIX or name in findings.records  # nobody need search the variants
    )
    if bullets:
        blocks += [Heading("What is missing, and the command that makes it"), Bullets(bullets)]
    blocks += [Heading("Where it ran"), Paragraph(_versions(records)), _searches(records)]
    final = [record for record in records if record.result]
    if final:
        blocks += [_finals(final), Paragraph(_readings(final))]
    blocks += [Heading("Runs"), _runs(records)]
    return Section(id="reproduction", title="Reproduction", blocks=tuple(blocks))


# Commands ---------------------------------------------------------------------------------------


def commands_of(record: PipelineRecord, findings: Findings) -> list[str]:
    """The searches and the rerun of a pipeline as they would be called."""
    mini = ["--data", "mini"] if findings.mini else []
    called = list(dict.fromkeys(search_command(record, study, mini) for study in record.studies))
    if record.result:
        called.append(rerun_command(record, record.result, mini))
    return called


def search_command(record: PipelineRecord, study: StudyRecord, more: Sequence[str] = ()) -> str:
    """The call that searches the same space for as many trials; `more` ends it.

    A twin is made by the call that makes its study.
    """
    of = study.tags.get(provenance.TWIN_OF)
    main = next((one for one in record.studies if one.name == of), None)
    if main:
        study, more = main, ["--baseline", "random", *more]
    return provenance.search_command(
        study.tags, study.params, trials=len(study.trials), images=len(record.data.train), more=more
    )


def rerun_command(
    record: PipelineRecord, result: Mapping[str, Any], more: Sequence[str] = ()
) -> str:
    """The call that makes the same final numbers; `more` ends it."""
    rows = [row for row in result["rows"] if row["kind"] == "final"]
    seeds = rows[0]["seeds"]
    words = ["python", "search/rerun.py", "--pipeline", record.name]
    words += ["--top", str(len(rows)), "--seeds", str(len(seeds))]
    source = result["source"].partition(CHANGED)[0]
    if source.endswith(".json"):
        words += ["--config", source, "--epochs", str(result["epochs"])]
    elif result["epochs"] not in {study.epochs for study in record.studies}:
        words += ["--epochs", str(result["epochs"])]
    for setting in result.get("set", ()):
        words += ["--set", setting]
    words += _left_out(record, result)
    threads = record.info.get("threads", 1)
    words += ["--cpus-per-trial", str(threads)] if threads > 1 else []
    base = base_seed(seeds)
    return shlex.join([*words, *(["--seed", str(base)] if base else []), *more])


def _left_out(record: PipelineRecord, result: Mapping[str, Any]) -> list[str]:
    """`--without` for the rows that a rerun could have trained and did not try to."""
    tried = {row["name"] for row in result["rows"]} | {
        what.partition(" seed ")[0].replace("trained", DEFAULTS) for what in result["failures"]
    }
    possible = [ABLATION] * bool(record.pipeline.ablation) + [DEFAULTS]
    without = [name for name in possible if name not in tried]
    if any(study.twin_of for study in record.studies) and RANDOM_SEARCH not in tried:
        without.append("random")
    return ["--without", ",".join(without)] if without else []


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


def base_seed(seeds: list[int]) -> int | None:
    """The `--seed` of a rerun that these fresh seeds follow from; None if there is none."""
    bases = (base for base in BASE_SEEDS if list(final_seeds(base, len(seeds))) == seeds)
    return next(bases, None)


def report_command(findings: Findings) -> str:
    """The call that makes this report."""
    words = ["python", "analysis/report.py", "--seed", str(findings.seed)]
    words += ["--points", str(findings.points), "--embedding", findings.embedding]
    return shlex.join(words + ["--data", "mini"] * findings.mini)


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


def _searches(records: list[PipelineRecord]) -> Table:
    lines: list[tuple[Cell, ...]] = []
    given = "device", "precision", "threads", "concurrency", "train_size"
    for record in records:
        for study in record.studies:
            how = study.tags.get("seed"), *(study.params.get(name) for name in given)
            spent = f"{study.seconds:,.0f}", _short(study.tags.get(COMMIT))
            lines.append((record.name, study.name, *how, *spent))
    return Table(
        name="searches",
        title="The searches",
        columns=heads(
            "pipeline | study | seed | device | precision | threads | at a time | images | s "
            "| git commit"
        ),
        rows=tuple(lines),
        caption="As stored in the studies' tags and parameters: threads of a trial, trials at a "
        "time, training images, seconds from start to end. A `+` behind a commit: the code was "
        "changed since it.",
    )


def _finals(records: list[PipelineRecord]) -> Table:
    lines = [
        (
            record.name,
            " ".join(map(str, result["rows"][0]["seeds"])),
            *(record.info.get(name) for name in ("device", "precision", "threads")),
            result["train_size"],
            result["data_fingerprint"],
            _short(record.info.get("commit")),
        )
        for record in records
        if (result := record.result)
    ]
    return Table(
        name="final_trainings",
        title="The final trainings",
        columns=heads(
            "pipeline | seeds | device | precision | threads | images | data fingerprint "
            "| git commit"
        ),
        rows=tuple(lines),
        caption="As stored with the champions' weights; training images. The fingerprint changes "
        "with any pixel, any label and any row of the split between training and validation "
        "images.",
    )


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
    lines: list[tuple[Cell, ...]] = []
    for record in records:
        lines += [(record.name, f"study {s.name}", s.run_id, None) for s in record.studies]
        what = "final numbers" if record.result else "best trial, not final"
        model = (record.result or {}).get("model")
        named = f"models:/{model['name']}/{model['version']}" if model else None
        lines.append((record.name, what, record.run_id, named))
    return Table(
        name="runs",
        title="MLflow runs",
        columns=("pipeline", "what", "run id", "registered model"),
        rows=tuple(lines),
        caption="The figures are drawn from the weights "
        + ", ".join(f"{record.weights} ({record.name})" for record in records)
        + ".",
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
