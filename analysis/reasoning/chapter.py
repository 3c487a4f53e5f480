"""The reasoning: per pipeline the networks, why they are so, the space, what won."""

from __future__ import annotations

from analysis.captions import title_of
from analysis.document import Block, Bullets, Figure, Heading, Paragraph, Section, Table
from analysis.reasoning import choices
from analysis.reasoning.architecture import Architecture, architecture_figure, compute_architecture
from analysis.reasoning.choices import worded
from analysis.reasoning.references import needed
from analysis.records import Findings, PipelineRecord, main_study, same
from models.heads import CLASSIFIER_HIDDEN
from search.spaces.pipeline import LATENT_DIM
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
            f"{LATENT_DIM} numbers, which are standardised: every coordinate has mean 0 and "
            "variance 1 over the training images. That is small on purpose, as the assignment "
            "suggests: what is compared here is how an encoder is trained, and six small networks "
            "can be searched and repeated with several seeds. Batch normalisation (Ioffe and "
            "Szegedy, 2015) follows every convolution; weights start as He et al. (2015) propose "
            "for ReLU."
        ),
        Paragraph(
            "**The classifier** has one and the same architecture for all pipelines and is never "
            f"searched: an MLP with hidden layers of {hidden} units on the "
            "standardised latent. The supervised pipelines train it together with the encoder, the "
            "others afterwards, on latents of the frozen encoder. No classifier sees an image; the "
            "row *raw pixels* of the summary is marked as the exception."
        ),
        Paragraph(
            f"**Choosing.** {_searched(records)} Every search maximises the same quantity, the "
            f"classifier's accuracy on the {100 * VALID_FRACTION:.0f} % of the training images "
            "that were set aside by a fixed, stratified split. Nothing was chosen by a contrastive "
            "or a reconstruction loss, and nothing by test images. Structure (depth, width, kind "
            "of block, up-sampling) and training (learning rate, decay, batch size, dropout, "
            "strength of the views) were searched together, since a wider network wants another "
            "learning rate than a narrow one."
        ),
        Paragraph(
            "**The added logic** (section 1.2.3 of the assignment) is contrastive learning after "
            "SimCLR (Chen et al., 2020): two views of one image shall have similar latents, views "
            "of different images dissimilar ones, and no label is looked at. It was preferred "
            "since what it asks for, likeness by angle, is what makes classes easy to cut apart, "
            "if the views change all but what classes have in common. Whether it does is measured "
            "against an ablation with the same encoder, views and budget that reconstructs "
            "instead, so that nothing but this logic differs."
        ),
    ]


def _searched(records: list[PipelineRecord]) -> str:
    studies = [study for record in records for study in record.studies]
    if not studies:
        return "There are no searches in this store."
    samplers = sorted({study.tags.get("sampler", "unknown") for study in studies})
    schedulers = sorted({study.tags.get("scheduler", "unknown") for study in studies})
    names = {
        "tpe": "TPE (Bergstra et al., 2011)",
        "asha": "ASHA (Li et al., 2020)",
        "gp": "a Gaussian process",
        "none": "nothing",
    }
    trials = sum(len(study.trials) for study in studies)
    proposed = " or ".join(names.get(name, name) for name in samplers)
    stopped = " or ".join(names.get(name, name) for name in schedulers)
    return (
        f"{len(studies)} {'study' if len(studies) == 1 else 'studies'} tried {trials} "
        f"configurations; {proposed} proposed them, {stopped} stopped those that fell behind. The "
        "first trial of a study is the pipeline's defaults, so that what the search brings can be "
        "told."
    )


# A pipeline -------------------------------------------------------------------------------------


def _pipeline(record: PipelineRecord) -> list[Block]:
    architecture = compute_architecture(record)
    reasoning = " ".join(record.pipeline.reasoning.split())
    blocks: list[Block] = [Heading(f"{title_of(record)} (`{record.name}`)"), Paragraph(reasoning)]
    blocks.append(_diagram(record, architecture))
    study = main_study(record.studies)
    if study is not None:
        blocks.append(Bullets(choices.describe(record, study)))
    blocks.append(_space(record))
    return blocks


def _diagram(record: PipelineRecord, architecture: Architecture) -> Figure:
    encoder = architecture.parts[0]
    rest = "; ".join(f"{part.name}: {part.note}" for part in architecture.parts[1:])
    whose = "champion" if record.final else "best trial so far"
    return Figure(
        name=f"architecture_{record.name}",
        title=f"{title_of(record)}: the networks",
        caption=f"As traced through the {whose}: {len(encoder.layers)} layers with weights from "
        f"the image to the latent, {encoder.parameters:,} weights; {rest}. Bold: the shape behind "
        "a layer (channels, height, width); below it what the layer does, and its weights. Planes "
        "are as large as the maps' sides. Colours tell the parts apart and mean nothing else.",
        draw=lambda: architecture_figure(architecture),
        alt=_described(architecture),
    )


def _described(architecture: Architecture) -> str:
    parts = []
    for part in architecture.parts:
        shapes = [part.enters, *(layer.shape for layer in part.layers)]
        path = ", ".join("x".join(map(str, shape)) for shape in shapes)
        parts.append(f"{part.name}: {path}")
    return f"Shapes from layer to layer. {'; '.join(parts)}"


def _space(record: PipelineRecord) -> Table:
    chosen = record.info["params"]
    pipeline = record.pipeline
    lines = tuple(
        (
            name,
            describe(distribution),
            worded(pipeline.defaults[name]),
            worded(chosen[name]) if name in chosen else None,
        )
        for name, distribution in pipeline.space.items()
    )
    differ = [
        index
        for index, name in enumerate(pipeline.space)
        if name in chosen and not same(chosen[name], pipeline.defaults[name])
    ]
    whose = "champion" if record.final else "best trial"
    run = record.run_id
    return Table(
        name=f"space_{record.name}",
        title=f"{title_of(record)}: what was searched",
        columns=("parameter", "range", "default", whose),
        rows=lines,
        caption=f"Ranges include their ends. Bold where the {whose} differs from the defaults: "
        f"{len(differ)} of {len(lines)}. Trained for {record.info['epochs']} epochs; MLflow run "
        f"`{run}`.",
        bold=tuple(differ),
    )
