"""The reasoning: per pipeline the networks, why they are so, the space, what won."""

from __future__ import annotations

import statistics

from analysis import result_rows
from analysis.captions import every_search, title_of
from analysis.document import Block, Bullets, Figure, Heading, Paragraph, Section, Table
from analysis.reasoning.architecture import architecture_figure, compute_architecture
from analysis.reasoning.references import needed
from analysis.records import Findings, PipelineRecord, StudyRecord, main_study, same
from analysis.sentences import listed, percent, points
from models.heads import CLASSIFIER_HIDDEN
from search.spaces.pipeline import LATENT_DIM, METRIC
from search.spaces.space import describe
from trainers.data.training import VALID_FRACTION


def section(findings: Findings) -> Section:
    """The section `reasoning`."""
    records = list(findings.records.values())
    blocks: list[Block] = [Heading("What holds for all"), *_common(records)]
    for record in records:
        blocks += _pipeline(record)
    texts = (record.pipeline.reasoning for record in records)
    blocks += [
        Heading("References"),
        Bullets(tuple(reference.text() for reference in needed(texts))),
    ]
    return Section(id="reasoning", title="Reasoning", blocks=tuple(blocks))


# All pipelines ----------------------------------------------------------------------------------


def _common(records: list[PipelineRecord]) -> list[Block]:
    hidden = " and ".join(f"{units:,}" for units in CLASSIFIER_HIDDEN)
    return [
        Paragraph(
            "An encoder of 3 by 3 convolutions, one or two a stage, halves the image's side in "
            "each of three stages, doubles the channels and ends in one linear map to "
            f"{LATENT_DIM} numbers, standardised to mean 0 and variance 1 over the training "
            "images. That is small on purpose, as the assignment suggests: what is compared is how "
            "an encoder is trained, and six small networks can be searched and repeated. Batch "
            "normalisation (Ioffe and Szegedy, 2015) follows every convolution; weights start as "
            "He et al. (2015) propose for ReLU."
        ),
        Paragraph(
            "**The classifier** is the same for all pipelines and never searched: an MLP with "
            f"hidden layers of {hidden} units on the standardised latent. The supervised pipelines "
            "train it together with the encoder, the others afterwards, on latents of the frozen "
            "encoder. No classifier sees an image but that of the summary's row *raw pixels*."
        ),
        Paragraph(
            f"**Choosing.** {_searched(records)} {every_search(records)} maximises the "
            f"classifier's accuracy on the {100 * VALID_FRACTION:.0f} % of the training images set "
            "aside by a fixed, stratified split; no training loss and no test image chose. "
            "Structure (depth, width, kind of block, up-sampling) and training (learning rate, "
            "decay, batch size, dropout, strength of the views) were searched together, since a "
            "wider network wants another learning rate than a narrow one."
        ),
        Paragraph(
            "**The added logic** (section 1.2.3 of the assignment) is contrastive learning after "
            "SimCLR (Chen et al., 2020): two views of one image shall have similar latents, views "
            "of different images dissimilar ones, and no label is looked at. What it asks for, "
            "likeness by angle, makes classes easy to cut apart if the views change all but what "
            "classes have in common. Whether it does is measured against an ablation that differs "
            "in nothing but this: the same encoder, views and budget, reconstructing instead."
        ),
    ]


def _searched(records: list[PipelineRecord]) -> str:
    studies = [study for record in records for study in record.studies]
    if not studies:
        return "There are no searches in this store."
    names = {
        "tpe": "TPE (Bergstra et al., 2011)",
        "asha": "ASHA (Li et al., 2020)",
        "predictive": "predictive termination (Domhan et al., 2015)",
        "gp": "a Gaussian process",
        "tpe+gp": "TPE (Bergstra et al., 2011) and a Gaussian process in turn",
        "none": "nothing",
    }
    trials = sum(len(study.trials) for study in studies)
    tags = ({study.tags.get(of, "unknown") for study in studies} for of in ("sampler", "scheduler"))
    proposed, stopped = (" or ".join(names.get(n, n) for n in sorted(some)) for some in tags)
    return (
        f"{len(studies)} {'study' if len(studies) == 1 else 'studies'} tried {trials} "
        f"configurations; {proposed} proposed them, {stopped} stopped those that fell behind. The "
        "first trial of a study is the pipeline's defaults, so that what the search brings can be "
        "told."
    )


# A pipeline -------------------------------------------------------------------------------------


def _pipeline(record: PipelineRecord) -> list[Block]:
    reasoning = " ".join(record.pipeline.reasoning.split())
    blocks: list[Block] = [Heading(f"{title_of(record)} (`{record.name}`)"), Paragraph(reasoning)]
    blocks.append(_diagram(record))
    study = main_study(record.studies)
    if study is not None:
        blocks.append(Bullets(tuple(chosen(record, study))))
    blocks.append(_space(record))
    return blocks


def _diagram(record: PipelineRecord) -> Figure:
    parts = compute_architecture(record)
    return Figure(
        name=f"architecture_{record.name}",
        title=f"{title_of(record)}: the networks",
        caption=f"As traced through the {_whose(record)}. Bold: the shape behind a layer "
        "(channels, height, width); below it what the layer does, and its weights. Planes are as "
        "large as the maps' sides. Colours tell the parts apart and mean nothing else.",
        draw=lambda: architecture_figure(record.name, parts),
    )


def _whose(record: PipelineRecord) -> str:
    return "champion" if record.final else "best trial"


def chosen(record: PipelineRecord, study: StudyRecord) -> list[str]:
    """How sharply the best trial of a study won, and what became champion."""
    said = [_won(record, study)]
    if record.result and study.complete:
        best = f"trial {study.complete[0].number} of {study.name}"
        other = "" if record.result["source"] == best else ", another than the best of the search,"
        text = f"**Champion:** {record.result['source']}{other * (not study.goals)}"
        said.append(f"{text} by mean `{METRIC}` over fresh seeds.")
    return said


def _won(record: PipelineRecord, study: StudyRecord) -> str:
    complete = study.complete
    if not complete:
        return "**Won:** nothing yet, no trial was trained to the end."
    if study.goals:
        goals = listed([f"`{goal}`" for goal in study.goals])
        return f"**Won:** no trial by accuracy alone, since the study was searched by {goals}."
    values = [trial.value or 0.0 for trial in complete]
    text = f"**Won:** trial {complete[0].number} with {percent(values[0], 2)} on validation images"
    if len(values) < 2:
        return f"{text}, the only one."
    step = values[0] - values[1]
    text += f", {points(step)} points against the second of {len(values)} complete."
    row = result_rows.champion(record)
    seeds = row["metrics"].get(METRIC, []) if row else []
    if len(seeds) < 2:
        return text
    spread = statistics.stdev(seeds)
    noise = f"the champion's standard deviation over seeds, {100 * spread:.2f} points"
    if step > spread:
        return f"{text} That is more than {noise}."
    return f"{text} That is no more than {noise}: the order at the top may be chance."


def _space(record: PipelineRecord) -> Table:
    params = record.info["params"]
    pipeline = record.pipeline
    lines, differ = [], []
    for index, (name, distribution) in enumerate(pipeline.space.items()):
        default, value = pipeline.defaults[name], params.get(name)
        shown = _worded(value) if name in params else None
        lines.append((name, describe(distribution), _worded(default), shown))
        if name in params and not same(value, default):
            differ.append(index)
    whose = _whose(record)
    return Table(
        name=f"space_{record.name}",
        title=f"{title_of(record)}: what was searched",
        columns=("parameter", "range", "default", whose),
        rows=tuple(lines),
        caption=f"Ranges include their ends. Bold where the {whose} differs from the defaults: "
        f"{len(differ)} of {len(lines)}. Trained for {record.info['epochs']} epochs; MLflow run "
        f"`{record.run_id}`.",
        bold=tuple(differ),
    )


def _worded(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
