"""The summary: tables, the figure, and sentences that follow the numbers wherever they go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from analysis import style, summary
from analysis.document import Bullets, Paragraph, Section, Table
from analysis.records import SIX, Findings, PipelineRecord
from analysis.summary import accuracies, verdicts
from tests.analysis.blocks import figures, words

MakeUnfinished = Callable[[PipelineRecord], PipelineRecord]
Only = Callable[..., Findings]


KINDS = "classifier", "linear", "k-NN"


def table(section: Section, name: str) -> Table:
    [found] = [b for b in section.blocks if isinstance(b, Table) and b.name == name]
    return found


def reruns(findings: Findings, dataset: str) -> dict[str, Any]:
    return {r.name: r.result["rows"] for r in findings.of(dataset) if r.result}


def with_comparison(findings: Findings, *, mean: float, p: float | None) -> Findings:
    """MNIST's contrastive pipeline with other numbers in its comparison with the ablation."""
    record = findings.records["mnist_contrastive"]
    result = record.result or {}
    first, *others = result["comparisons"]
    difference = {"mean": mean, "low": None, "high": None, "n": 3}
    changed = {**first, "difference": difference, "p": p, "p_holm": p}
    made = replace(record, result={**result, "comparisons": [changed, *others]})
    return replace(findings, records={**findings.records, record.name: made})


# Tables and the figure --------------------------------------------------------------------------


def test_the_six_champions_in_one_table(findings: Findings) -> None:
    champions = table(summary.section(findings), "champions")
    assert [row[0] for row in champions.rows] == list(SIX)
    by_name = {row[0]: dict(zip(champions.columns, row, strict=True)) for row in champions.rows}
    mine = by_name["mnist_autoencoder"]
    means = (findings.records["mnist_autoencoder"].result or {})["rows"][0]["means"]
    found = means["test/accuracy"]
    half = 100 * (found["high"] - found["mean"])
    cells = [mine[f"{name} %"].replace("\u00a0", " ").split(" / ") for name in KINDS]
    (train, valid, test), (*_, linear), nearest = cells
    every = (means[f"{images}/accuracy"]["mean"] for images in ("train", "valid"))
    assert [train, valid] == [f"{100 * mean:.2f}" for mean in every]
    assert test == f"{100 * found['mean']:.2f} ± {half:.2f}"
    assert linear.startswith(f"{100 * means['test/linear_accuracy']['mean']:.2f} ±")
    assert len(nearest) == 3
    assert mine["n"] == 3
    assert mine["test MAE"] == "0.0415 ± 0.0025"
    assert mine["weights"] == "98,000"
    assert by_name["cifar_supervised"]["test MAE"] is None
    assert by_name["cifar_supervised"]["labels"] == "yes"


def test_what_is_shared_stands_once_a_data_set(findings: Findings) -> None:
    rows = table(summary.section(findings), "baselines").rows
    shared = [row[:2] for row in rows if row[1] in ("PCA", "raw pixels")]
    assert shared == [(d, r) for d in ("MNIST", "CIFAR-10") for r in ("PCA", "raw pixels")]
    ablated = [row[0] for row in rows if row[1] == "ablation"]
    assert ablated == ["mnist_contrastive", "cifar_contrastive"]
    untested = [row for row in rows if row[1] == "config 2"]
    assert len(untested) == 6
    assert all(str(row[3]).endswith("/\u00a0-") for row in untested)


def test_every_tested_row_is_in_the_figure(findings: Findings) -> None:
    bars = accuracies.compute_bars(reruns(findings, "cifar"))
    assert [bar.label for bar in bars] == [
        *("autoencoder: champion", "autoencoder: defaults", "autoencoder: random encoder"),
        *("supervised: champion", "supervised: defaults", "supervised: random encoder"),
        *("contrastive: champion", "contrastive: ablation", "contrastive: defaults"),
        *("contrastive: random encoder", "PCA", "raw pixels"),
    ]
    canvas, [axis] = style.axes(width=8, height=4)
    accuracies.draw_bars(axis, bars)
    canvas.canvas.draw()
    assert [label.get_text() for label in axis.get_yticklabels()] == [bar.label for bar in bars]
    assert axis.get_xlabel() == "test accuracy (%)"
    shown = [text.get_text() for text in axis.texts]
    assert shown == [f"{100 * bar.mean:.2f}" for bar in bars]
    style.close(canvas)


def test_the_interval_of_a_bar_is_that_of_its_mean() -> None:
    bar = accuracies.Bar(pipeline="p", name="n", accuracies=(0.5, 0.6))
    assert bar.mean == pytest.approx(0.55)
    # Two values, one degree of freedom: t is 12.706, the standard error 0.05.
    assert bar.interval == pytest.approx((0.55 - 0.6353, 0.55 + 0.6353), abs=1e-4)
    assert replace(bar, accuracies=(0.5,)).interval is None


def test_what_learning_and_tuning_brought(findings: Findings) -> None:
    section = summary.section(findings)
    gains = {row[0]: row for row in table(section, "gains").rows}
    assert str(gains["mnist_contrastive"][1]).startswith("+10.00 ± ")
    assert str(gains["mnist_contrastive"][4]).startswith("+1.30 ± ")


def test_a_champion_that_is_the_defaults(findings: Findings) -> None:
    record = findings.records["cifar_autoencoder"]
    rows = [dict(row) for row in (record.result or {})["rows"]]
    defaults = next(row for row in rows if row["name"] == "defaults")
    defaults |= {key: rows[0][key] for key in ("cells", "metrics", "means")}
    same = replace(record, result={**(record.result or {}), "rows": rows})
    section = summary.section(replace(findings, records={**findings.records, record.name: same}))
    gains = {row[0]: row for row in table(section, "gains").rows}
    assert gains["cifar_autoencoder"][4] == "the champion is the defaults"


# Whether the contrastive method succeeded -------------------------------------------------------


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"mean": 0.05, "p": 0.001}, "**MNIST: yes, it helped.**"),
        ({"mean": -0.05, "p": 0.001}, "**MNIST: no, it did harm.**"),
        ({"mean": -0.01, "p": None}, "**MNIST: one seed cannot tell.**"),
        ({"mean": 0.001, "p": 0.5}, "**MNIST: no difference is shown.**"),
    ],
)
def test_success_is_said_as_the_tests_say_it(
    findings: Findings, numbers: Mapping[str, Any], said: str
) -> None:
    assert said in words(verdicts.success(with_comparison(findings, **numbers)))


def test_each_data_set_has_its_tests_and_its_linear_probe(findings: Findings) -> None:
    _, *mnist, cifar, sentences = verdicts.success(findings)
    assert "**MNIST: yes, it helped.**" in words(mnist)
    assert isinstance(cifar, Paragraph) and cifar.text == "**CIFAR-10: yes, it helped.**"
    assert isinstance(sentences, Bullets)
    *tests, probe = sentences.items
    opponents = "its ablation", "its defaults", "cifar_autoencoder", "cifar_supervised"
    for sentence, opponent in zip(tests, opponents, strict=True):
        assert opponent in sentence and "95 % interval" in sentence and "anew" not in sentence
    assert probe.startswith("A linear probe reads 65.") and " ± " in probe


def test_an_opponent_trained_anew_is_noticed(findings: Findings) -> None:
    record = findings.records["mnist_supervised"]
    rows = [dict(row) for row in (record.result or {})["rows"]]
    worse = [value - 0.01 for value in rows[0]["metrics"]["test/accuracy"]]
    rows[0]["metrics"] = {**rows[0]["metrics"], "test/accuracy": worse}
    changed = replace(record, result={**(record.result or {}), "rows": rows})
    newer = replace(findings, records={**findings.records, record.name: changed})
    again = "to test again: `python search/rerun.py --pipeline mnist_contrastive`"
    [said] = [line for line in words(verdicts.success(newer)).splitlines() if "anew" in line]
    assert f"mnist_supervised was trained anew since, {again}" in said


# What is missing --------------------------------------------------------------------------------


def test_without_the_contrastive_pipelines(findings: Findings, only: Only) -> None:
    section = summary.section(only(findings, "mnist_autoencoder", "mnist_supervised"))
    assert words(section).count("cannot be said yet") == 1
    assert list(figures(section)) == ["accuracies_mnist"]


def test_not_final(findings: Findings, only: Only, unfinished: MakeUnfinished) -> None:
    records = {name: unfinished(findings.records[name]) for name in SIX}
    section = summary.section(only(findings, *SIX, **records))
    champions = table(section, "champions")
    assert [row[0] for row in champions.rows] == [f"{name} (not final)" for name in SIX]
    assert all(row[4] is None for row in champions.rows), "no test figures"
    assert {b.name for b in section.blocks if isinstance(b, Table)} == {"champions"}
    assert not figures(section)
    assert "cannot be said yet" in words(section)


def test_without_comparisons_nothing_is_claimed(findings: Findings) -> None:
    record = findings.records["mnist_contrastive"]
    bare = replace(record, result={**(record.result or {}), "comparisons": []})
    made = replace(findings, records={**findings.records, record.name: bare})
    assert "**MNIST: not measured.**" in words(verdicts.success(made))


def test_one_seed_has_no_interval(findings: Findings, only: Only) -> None:
    record = findings.records["mnist_autoencoder"]
    rows = []
    for row in (record.result or {})["rows"]:
        metrics = {name: values[:1] for name, values in row["metrics"].items()}
        means = {n: {"mean": v[0], "low": None, "high": None, "n": 1} for n, v in metrics.items()}
        rows.append({**row, "seeds": row["seeds"][:1], "metrics": metrics, "means": means})
    alone = replace(record, result={**(record.result or {}), "rows": rows})
    single = only(findings, record.name, **{record.name: alone})
    assert "±" not in str(table(summary.section(single), "champions").rows)
    bars = accuracies.compute_bars(reruns(single, "mnist"))
    assert bars and all(bar.interval is None for bar in bars)
