"""The section of the sweeps, from made-up grids and the champions' own networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from analysis import style, sweeps
from analysis.document import Bullets, Paragraph, Section, Table
from analysis.records import Findings, PipelineRecord, SweepRecord
from analysis.reproduction import sweep_command
from analysis.sweeps.chapter import budget_of
from analysis.sweeps.lines import draw_lines, lines_figure
from analysis.sweeps.pca import runs_told
from analysis.sweeps.vae import draws_told
from models import Classifier, LatentModel
from search.grids.results import GridResult, GridRow
from search.grids.sweep import Point, load_sweep, sweep_names
from search.spaces import builders
from search.sweep import parser as sweep_parser
from search.sweeps import few_labels
from tests.analysis.blocks import figures, words
from trainers.data import DATASETS

SEEDS = (1, 2, 3)
RNG = np.random.default_rng(0)


def measured(name: str, point: Point) -> Mapping[str, Any]:
    size = int(point.x)
    if name == "decorrelation":
        return {"matrix": np.eye(size).tolist(), "latents": 500}
    if name == "few_labels":
        counts = (*few_labels.LABELS,)
        values = {str(count): RNG.uniform(0.3, 0.9, 4).tolist() for count in counts}
        return {"accuracies": dict.fromkeys(few_labels.MODES, values)}
    if name == "averaging":
        return {"curve": RNG.uniform(0.1, 0.9, 4).tolist()}
    return {}


def made_up(name: str, record: PipelineRecord) -> SweepRecord:
    """Its whole grid with three seeds; every training is the champion's network."""
    sweep = load_sweep(name)
    rows = tuple(
        GridRow(
            line=point.line,
            x=point.x,
            pipeline=point.pipeline,
            dataset=point.pipeline.partition("_")[0],
            changes=dict(point.changes),
            cells=("a", "b", "c"),
            seeds=SEEDS,
            metrics={
                metric: RNG.uniform(0.1, 0.9, len(SEEDS)).tolist()
                for metric in {*sweep.metrics, *NEEDED.get(name, ())}
            },
            measured=[measured(name, point) for _ in SEEDS],
        )
        for point in sweep.points(False)
    )
    spent: Any = {"train_size": {"mnist": 1000}, "epochs": {"mnist_autoencoder": 2}}
    outcome = GridResult(name=name, rows=rows, quick=False, mini=False, **spent)

    def load(row: GridRow, number: int) -> PipelineRecord:
        return loaded(record, int(row.x))

    made: Any = {"outcome": outcome, "run_id": "0123456789abcdef", "load": load}
    return SweepRecord(name=name, sweep=sweep, **made)


def loaded(record: PipelineRecord, size: int) -> PipelineRecord:
    """The champion's network; of another latent size one that was never trained."""
    if size != 128:
        params = {**record.info["params"], "latent_dim": size}
        torch.manual_seed(0)
        method = builders.autoencoder(params, DATASETS["mnist"])
        classifier = Classifier(latent_dim=size, classes=10)
        model = LatentModel(
            encoder=method.encoder, decoder=method.decoder, classifier=classifier
        ).eval()
        record = replace(record, model=model, weights=f"untrained {size}")
    return replace(record, split="validation", stored={})


NEEDED = {
    "depth": ("model/parameters",),
    "decorrelation": ("latents/rank_share",),
    "interpolation": ("valid/accuracy",),
    "vae": ("valid/kl", "real/confidence", "real/frechet"),
}


@pytest.fixture(scope="module")
def swept(findings: Findings) -> Findings:
    record = findings.records["mnist_autoencoder"]
    made = tuple(made_up(name, record) for name in sweep_names())
    return replace(findings, sweeps=made)


@pytest.fixture(scope="module")
def section(swept: Findings) -> Section:
    return sweeps.section(swept)


def test_every_sweep_has_question_answer_figure_and_numbers(
    section: Section, swept: Findings
) -> None:
    drawn = figures(section)
    tables = {block.name: block for block in section.blocks if isinstance(block, Table)}
    texts = [block.text for block in section.blocks if isinstance(block, Paragraph)]
    answers = [block.items for block in section.blocks if isinstance(block, Bullets)]
    for record in swept.sweeps:
        assert f"sweep_{record.name}" in drawn
        assert len(tables[f"sweep_{record.name}"].rows) == len(record.outcome.rows)
        assert any(text.startswith(record.sweep.question) for text in texts)
        assert tuple(record.sweep.answer(record.outcome)) in answers
    assert {
        *("sweep_depth_reconstructions", "sweep_decorrelation_matrices"),
        *("sweep_interpolation_4_7", "sweep_interpolation_8_9", "sweep_interpolation_3_4"),
        *("sweep_interpolation_5_1", "sweep_few_labels_mnist_autoencoder"),
        "sweep_few_labels_mnist_contrastive",
        *("sweep_pca_latents", "sweep_pca_grids", "sweep_pca_random"),
        *("sweep_vae_samples_2", "sweep_vae_samples_16", "sweep_vae_latents", "sweep_vae_manifold"),
    } <= set(drawn)
    assert not any("Not run yet" in text for text in texts)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*(f"sweep_{name}" for name in sweep_names())])
def test_the_figures_draw(section: Section, name: str) -> None:
    for block in figures(section).values():
        if block.name.startswith(name):
            canvas = block.draw()
            canvas.draw_without_rendering()
            assert block.title and block.caption
            style.close(canvas)


def test_a_line_is_drawn_where_the_numbers_are(swept: Findings) -> None:
    record = next(one for one in swept.sweeps if one.name == "latent_dim")
    canvas, [axis] = style.axes()
    draw_lines(axis, record, "test/accuracy")
    drawn = {str(c.get_label()): c[0].get_xydata() for c in axis.containers}  # type: ignore[index]
    assert set(drawn) == set(record.outcome.lines)
    for line, rows in record.outcome.lines.items():
        expected = [[row.x, row.mean("test/accuracy")] for row in rows]
        np.testing.assert_allclose(drawn[line], expected)
    style.close(canvas)


def test_each_data_set_has_a_column_and_each_name_a_colour(swept: Findings) -> None:
    record = next(one for one in swept.sweeps if one.name == "latent_dim")
    canvas = lines_figure(record)
    shown = [axis for axis in canvas.axes if axis.get_visible()]
    assert [axis.get_title(loc="left") for axis in shown[:2]] == ["MNIST", "CIFAR-10"]
    first, *others = (
        {str(c.get_label()): c[0].get_color() for c in axis.containers}  # type: ignore[index]
        for axis in shown
    )
    assert set(first) == {"autoencoder", "supervised", "contrastive"}
    assert len(set(first.values())) == 3 and all(each == first for each in others)
    style.close(canvas)


def test_what_was_trained_is_said(swept: Findings) -> None:
    record = swept.sweeps[0]
    said = budget_of(record)
    assert "`01234567`" in said and "1,000 MNIST images" in said and "2 epochs" in said
    quick = replace(record, outcome=replace(record.outcome, quick=True))
    assert budget_of(quick).startswith("The reduced grid")


def test_what_is_missing_is_named_with_its_command(findings: Findings) -> None:
    said = words(sweeps.section(replace(findings, unswept=("depth", "few_labels"))))
    for name in ("depth", "few_labels"):
        assert f"`python search/sweep.py --sweep {name} --data mini`" in said


def test_failures_are_told(swept: Findings) -> None:
    record = swept.sweeps[0]
    failed = replace(record, outcome=replace(record.outcome, failures={"x": "diverged"}))
    section = sweeps.section(replace(swept, sweeps=(failed,)))
    assert "Could not be trained: x: diverged." in words(section)


def test_the_command_that_trains_it_again(swept: Findings) -> None:
    record = next(one for one in swept.sweeps if one.name == "depth")
    assert sweep_command(record, mini=False) == (
        "python search/sweep.py --sweep depth --epochs 2 --train-size 1000"
    )
    quick = replace(record, outcome=replace(record.outcome, quick=True))
    again = sweep_command(quick, mini=True)
    assert again == "python search/sweep.py --sweep depth --quick --seeds 3 --data mini"
    assert sweep_parser().parse_args(again.split()[2:]).quick


# Several trainings, several draws ---------------------------------------------------------------

PLANE = np.random.default_rng(1).normal(size=(200, 2))
TURNED = PLANE @ np.array([[0.0, 3.0], [3.0, 0.0]]) + 5


@pytest.mark.parametrize(
    ("planes", "said"),
    [
        ([PLANE, TURNED], "differ by 0 % of their variance"),
        ([PLANE, TURNED], "100 % are among those in the other"),
        ([PLANE, TURNED], "by chance 5.0 %): the maps are the same, but for how they lie."),
        ([PLANE, PLANE[::-1], TURNED], "the maps are different."),
        ([PLANE], "One training shows nothing"),
    ],
)
def test_trainings_with_other_seeds_are_compared(planes: list[np.ndarray], said: str) -> None:
    text = runs_told(planes, [0.05, 0.04, 0.06][: len(planes)])
    assert said in text
    assert text.startswith(f"**{len(planes)} training{'s' * (len(planes) > 1)} compared.**")
    assert ("run from 0.0400 to 0.0" in text) == (len(planes) > 1)


def test_several_draws_are_compared() -> None:
    rng = np.random.default_rng(2)
    pictures = np.stack([np.zeros((2, 1, 4, 4)), np.full((2, 1, 4, 4), 0.25)])
    real = np.stack([np.zeros((1, 4, 4)), np.full((1, 4, 4), 0.5)])
    same = rng.choice(3, (3, 400), p=[0.2, 0.5, 0.3])
    text = draws_told(pictures, same, real, "abc")
    assert "differ by 0.250 a pixel, two real images by 0.500" in text
    assert "names b most often, 4" in text and "is not shown to differ" in text
    other = np.stack([same[0], same[1], np.full(400, 2)])
    assert "The mix of classes differs between" in draws_told(pictures, other, real, "abc")
    one_class = np.ones((3, 400), dtype=int)
    assert "is not shown to differ" in draws_told(pictures, one_class, real, "abc")
