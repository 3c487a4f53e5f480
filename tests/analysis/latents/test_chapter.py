"""Structure of a latent space: closed forms, slow references, and sentences either way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from analysis import latents
from analysis.cache import Cache
from analysis.document import Table
from analysis.latents.chapter import verdict
from analysis.latents.structure import Structure, compute_structures, two_views, untrained_encoder
from analysis.records import Findings
from analysis.tsne.separation import choose
from tests.analysis.blocks import check_drawn, figures, words
from trainers.measures.structure import alignment, effective_rank, pair_distance, uniformity

RNG = np.random.default_rng(2)
Z = RNG.normal(size=(40, 6)) @ RNG.normal(size=(6, 6))


def test_two_views() -> None:
    images = RNG.integers(0, 256, (6, 1, 28, 28)).astype(np.uint8)
    first, second = two_views(images, digits=True, seed=4)
    assert first.shape == images.shape and first.dtype == np.float32
    assert min(first.min(), second.min()) >= 0 and max(first.max(), second.max()) <= 1
    assert not np.allclose(first, second)
    again = two_views(images, digits=True, seed=4)
    np.testing.assert_array_equal(first, again[0])
    assert not np.allclose(first, two_views(images, digits=True, seed=5)[0])
    for same in two_views(images, digits=True, strength=0.0):
        np.testing.assert_allclose(same, images / 255, atol=1e-6)


def test_the_untrained_encoder(findings: Findings) -> None:
    """The record's architecture with other weights, settled normalisation, always the same."""
    record = findings.records["cifar_supervised"]
    before = torch.get_rng_state()
    one, other = (untrained_encoder(record, seed=0) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    trained = record.model.encoder.state_dict()
    shapes = ({n: v.shape for n, v in d.items()} for d in (one.state_dict(), trained))
    assert next(shapes) == next(shapes)
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])
    different = untrained_encoder(record, seed=1).state_dict()
    assert not torch.equal(one.state_dict()["to_latent.2.weight"], different["to_latent.2.weight"])
    with torch.no_grad():
        z = one(torch.from_numpy(record.data.train.images) / 255)
    assert not one.training
    assert z.mean().abs() < 0.05 and abs(z.std() - 1) < 0.1


def test_structures(findings: Findings, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    cold = replace(findings, cache=Cache(tmp_path))
    found = compute_structures(cold)
    assert list(found) == list(findings.records)
    record = findings.records["mnist_contrastive"]
    before, after = found["mnist_contrastive"]
    rows = choose(record.images.labels, findings.points, seed=findings.seed)
    assert before.count == after.count == len(rows) == findings.points
    z = record.encode(record.images.images[rows])
    assert after.rank == pytest.approx(effective_rank(z), rel=1e-4)
    assert after.uniformity == pytest.approx(uniformity(z), rel=1e-4)
    views = two_views(record.images.images[rows], digits=True, seed=findings.seed)
    assert after.alignment == pytest.approx(alignment(*map(record.encode, views)), rel=1e-4)
    assert after.closeness == pytest.approx(after.alignment / pair_distance(z), rel=1e-4)

    monkeypatch.setattr("analysis.latents.structure.measure", None)  # nothing is measured again
    again = compute_structures(cold)
    assert again["mnist_contrastive"][1].rank == after.rank


def structure(**changed: float) -> Structure:
    values = {"alignment": 1.0, "apart": 2.0, "uniformity": -2.0, "rank": 3.0, "correlation": 0.2}
    return Structure(spectrum=np.array([3.0, 1.0, 1.0]), count=9, **{**values, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ({"alignment": 0.5, "uniformity": -3.0}, "did bring views nearer and did spread images"),
        ({"alignment": 0.5}, "did bring views nearer and did not spread images more evenly"),
        ({"uniformity": -3.0}, "did not bring views nearer and did spread images more evenly"),
        ({}, "did not bring views nearer and did not spread images more evenly"),
    ],
)
def test_verdict(findings: Findings, after: dict[str, float], said: str) -> None:
    record = findings.records["cifar_contrastive"]
    for projection, where in (("head", "projection head"), ("none", "the latents themselves")):
        info = {**record.info, "params": {**record.info["params"], "projection": projection}}
        told = verdict(replace(record, info=info), structure(), structure(**after))
        assert said in told and where in told


def test_section(findings: Findings) -> None:
    section = latents.section(findings)
    assert section.id == "structure"
    (table,) = [b for b in section.blocks if isinstance(b, Table)]
    assert len(table.rows) == 12
    check_drawn(figures(section)["spectra"])
    said = words(section)
    assert "Roy and Vetterli, 2007" in said
    assert said.count("spread images more evenly") == 2


def test_section_without_some(findings: Findings, only, unfinished) -> None:  # type: ignore[no-untyped-def]
    record = findings.records["cifar_supervised"]
    few = only(findings, "cifar_supervised", cifar_supervised=unfinished(record))
    section = latents.section(few)
    said = words(section)
    assert "contrastive training" not in said and "not final" in said
    assert few.missing["mnist_contrastive"] in said
    check_drawn(figures(section)["spectra"])
