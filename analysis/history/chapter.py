"""The searches: how the best value grew, who was stopped, what it cost, what it brought."""

from __future__ import annotations

from analysis.captions import every_search
from analysis.document import Block, Figure, Heading, Paragraph, Section
from analysis.history import budget, front, rank_transfer, selection
from analysis.history.parameter_figures import parameters_figure
from analysis.history.parameters import Parameters, compute_parameters
from analysis.history.trials import History, compute_history, history_figure
from analysis.records import Findings, PipelineRecord, StudyRecord, main_study
from analysis.sentences import counted
from search.spaces.goals import LIMITS
from search.spaces.pipeline import METRIC
from search.study.plots import ENOUGH


def section(findings: Findings) -> Section:
    """The section `search`: each pipeline, then all of them side by side."""
    records = list(findings.records.values())
    blocks: list[Block] = [
        Paragraph(
            f"{every_search(records)} maximised `{METRIC}`: the accuracy of one fixed classifier "
            "on the latents of held-out training images. A trial that was **pruned** was stopped "
            "at a rung because others were ahead of it there; one that **failed** ended in an "
            "error. The two are not the same, and neither has a final value."
        )
    ]
    blocks += [Heading("What was spent"), budget.table(records)]
    studies = {record.name: main_study(record.studies) for record in records}
    blocks += selection.blocks(records, studies)
    blocks += rank_transfer.blocks(records, studies)
    for record in records:
        blocks += _of(record)
        blocks += front.blocks(record)
    return Section(id="search", title="The search", blocks=tuple(blocks))


def _of(record: PipelineRecord) -> list[Block]:
    study = main_study(record.studies)
    heading = Heading(record.name)
    if study is None or not study.trials:
        return [heading, Paragraph("This store holds no search on the same data.")]
    history = compute_history(study)
    parameters = compute_parameters(study, record.pipeline.space)
    epochs = ", ".join(map(str, history.rungs)) or "none"
    blocks: list[Block] = [
        heading,
        Paragraph(_story(record, study, history)),
        Figure(
            name=f"search_{record.name}",
            title=f"{record.name}: history and learning curves",
            caption=f"Left: the last `{METRIC}` of each of {len(study.trials)} trials, and as "
            "steps the best complete value so far; a marker on the lower edge has no value, or the "
            f"one written above it. Right: the same trials by epoch; rungs after epochs: {epochs}. "
            f"Study {study.name}, MLflow run {study.run_id}.",
            draw=lambda: history_figure(history),
        ),
    ]
    if len(parameters) >= 2 and parameters.space:
        blocks.append(
            Figure(
                name=f"parameters_{record.name}",
                title=f"{record.name}: parameters",
                caption=_parameters_told(parameters),
                draw=lambda: parameters_figure(parameters),
            )
        )
    return blocks


def _story(record: PipelineRecord, study: StudyRecord, history: History) -> str:
    text = (
        f"Up to {counted(study.epochs, 'epoch')} a trial, with the sampler "
        f"{study.tags.get('sampler', 'unknown')} and the scheduler "
        f"{study.tags.get('scheduler', 'unknown')}."
    )
    if study.infeasible:
        beyond = f"beyond a limit ({study.tags.get(LIMITS)}) and crossed out"
        text += f" {len(study.infeasible)} of the complete ones are {beyond}."
    if study.complete:
        best = study.complete[0]
        first = history.numbers[history.best == best.value][0]
        text += f" The best complete value, {best.value:.4f}, came with trial {first}"
        after = int((history.numbers > first).sum())
        text += f"; the {after} trials after it found nothing better." if after else ", the last."
    else:
        text += " None was complete" + " and within the limits" * bool(study.infeasible) + "."
    others = len(record.studies) - 1
    if others:
        text += (
            f" The pipeline has {others} more {'search' if others == 1 else 'searches'} on the "
            "same data; this one holds the best complete trial, the table of budgets counts all."
        )
    return text


def _parameters_told(parameters: Parameters) -> str:
    count, several = len(parameters), len(parameters.space)
    chosen = "the star is the best complete trial"
    star = chosen if parameters.chosen is not None else "the best was not measured there"
    text = (
        f"Accuracy against each parameter: {count} trials that were measured after "
        f"{counted(parameters.epoch, 'epoch')}, pruned ones among them; {star}."
    )
    if parameters.importance:
        text += " Importance: the share of the variation, by PED-ANOVA (Watanabe et al., 2023)."
        few = f" {count} trials of {several} parameters are few: read it as a hint."
        text += few * (count < 5 * several)
    else:
        text += f" No importance is shown: it needs {ENOUGH} trials that differ."
    if parameters.held:
        held = ", ".join(f"`{name}` = {value}" for name, value in parameters.held.items())
        text += f" Held fixed in all of them: {held}."
    if parameters.strangers:
        text += f" Left out are {parameters.strangers} trials of a time with other parameters."
    return text
