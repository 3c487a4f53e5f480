"""The searches: how the best value grew, who was stopped, what it cost, what it brought."""

from __future__ import annotations

from analysis.captions import every_search
from analysis.document import Block, Figure, Heading, Paragraph, Section
from analysis.history import budget, front, rank_transfer, selection, tuning
from analysis.history.parameter_figures import parallel_figure, parameters_figure
from analysis.history.parameters import Parameters, compute_parameters
from analysis.history.trials import STATES, History, compute_history, history_figure
from analysis.records import Findings, PipelineRecord, StudyRecord, main_study
from analysis.sentences import counted, listed
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
    blocks += budget.blocks(records, findings.missing)
    studies = {record.name: main_study(record.studies) for record in records}
    blocks += tuning.blocks(records, studies)
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
    blocks: list[Block] = [
        heading,
        Paragraph(_story(record, study, history)),
        Figure(
            name=f"search_{record.name}",
            title=f"{record.name}: history and learning curves",
            caption=f"Left: the last `{METRIC}` of each of {len(study.trials)} trials "
            f"({_by_state(history)}), and as steps the best complete value so far; a marker on the "
            "lower edge has no value, or the one written above it. Right: the same trials by "
            f"epoch, {_rungs(history)}. Study {study.name}, MLflow run {study.run_id}.",
            draw=lambda: history_figure(history),
        ),
    ]
    if len(parameters) < 2 or not parameters.space:
        return blocks
    importance = _importance_told(parameters)
    epochs, chosen = counted(parameters.epoch, "epoch"), parameters.chosen is not None
    star = "the star is the best complete trial"
    star = star if chosen else "the best complete trial was not measured there"
    dashed = ", dashed is the best complete trial"
    blocks += [
        Paragraph(importance),
        Figure(
            name=f"parameters_{record.name}",
            title=f"{record.name}: parameters",
            caption=f"Accuracy against each parameter: {len(parameters)} trials that were measured "
            f"after {epochs}, pruned ones among them; {star}. {importance}",
            draw=lambda: parameters_figure(parameters),
        ),
        Figure(
            name=f"coordinates_{record.name}",
            title=f"{record.name}: parallel coordinates",
            caption=f"The same {len(parameters)} trials, a line each, from parameter to parameter "
            f"to the accuracy after {epochs}; dark and thick is accurate{dashed * chosen}.",
            draw=lambda: parallel_figure(parameters),
        ),
    ]
    return blocks


def _story(record: PipelineRecord, study: StudyRecord, history: History) -> str:
    text = (
        f"{len(study.trials)} trials ({_by_state(history)}) of up to "
        f"{counted(study.epochs, 'epoch')} with the sampler {study.tags.get('sampler', 'unknown')} "
        f"and the scheduler {study.tags.get('scheduler', 'unknown')}."
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


def _importance_told(parameters: Parameters) -> str:
    count = len(parameters)
    if parameters.importance:
        (first, share), *rest = parameters.importance.items()
        text = (
            f"By PED-ANOVA (Watanabe et al., 2023), which rests on {count} trials here, `{first}` "
            f"explains {100 * share:.0f} % of the variation"
        )
        text += f", `{rest[0][0]}` {100 * rest[0][1]:.0f} %." if rest else "."
        if count < 5 * (several := len(parameters.importance)):
            text += f" {count} trials of {several} parameters are few: read it as a hint."
    else:
        few = f"{count} trials were measured at one epoch, and such a statement should rest on "
        few += f"{ENOUGH} at least"
        why = few if count < ENOUGH else "it could not be computed from these trials"
        text = f"No importance is shown: {why}."
    if parameters.held:
        held = ", ".join(f"`{name}` = {value}" for name, value in parameters.held.items())
        text += f" Held fixed in all of them: {held}."
    if parameters.strangers:
        text += f" Left out are {parameters.strangers} trials of a time with other parameters."
    return text


def _by_state(history: History) -> str:
    counts = ((look.word, history.count(state)) for state, look in STATES.items())
    return ", ".join(f"{count} {word}" for word, count in counts if count)


def _rungs(history: History) -> str:
    if not history.rungs:
        return "there were no rungs"
    several = "s" * (len(history.rungs) > 1)
    return f"rung{several} after epoch{several} {listed(list(map(str, history.rungs)))}"
