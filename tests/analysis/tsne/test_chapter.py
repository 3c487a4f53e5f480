"""Points in the plane: the same twice, pixels computed once, a section whatever there is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis import style, tsne
from analysis.cache import Cache
from analysis.document import Table
from analysis.records import Findings
from analysis.tsne import views
from analysis.tsne.embedding import Embedding, embed
from analysis.tsne.figures import draw_embedding
from analysis.tsne.separation import compute_separation
from analysis.tsne.views import compute_views
from tests.analysis.blocks import check_drawn, figures, words

RNG = np.random.default_rng(1)
CLUSTERS = np.concatenate([RNG.normal(8 * i, 1, (40, 60)) for i in range(3)]).astype(np.float32)
LABELS = np.repeat([0, 1, 2], 40)


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_the_same_twice(method: str) -> None:
    one, other = (embed(CLUSTERS, seed=3, method=method) for _ in range(2))
    assert one.plane.shape == (120, 2) and one.plane.dtype == np.float32
    np.testing.assert_array_equal(one.plane, other.plane)


def test_clusters_stay_clusters() -> None:
    found = compute_separation(embed(CLUSTERS).plane, LABELS)
    assert found.knn == 1


def test_settings_fit_the_points() -> None:
    found = embed(CLUSTERS)
    assert found.settings == "t-SNE, perplexity 30, after PCA to 50"
    few = embed(CLUSTERS[:31])
    assert (few.perplexity, few.components) == (10.0, 31)
    assert embed(CLUSTERS, method="pca").settings == "PCA"


def test_pca_is_the_projection_on_the_main_axes() -> None:
    """Of images too."""
    centred = CLUSTERS - CLUSTERS.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    plane = embed(CLUSTERS.reshape(120, 1, 6, 10), method="pca").plane
    np.testing.assert_allclose(np.abs(plane), np.abs(centred @ axes[:2].T), atol=1e-2)


def test_what_cannot_be_embedded() -> None:
    with pytest.raises(ValueError, match="4 points are too few"):
        embed(CLUSTERS[:4])
    with pytest.raises(ValueError, match="there are: tsne, pca"):
        embed(CLUSTERS, method="isomap")


@pytest.mark.slow
def test_views(findings: Findings) -> None:
    every = compute_views(findings)
    assert list(every) == list(findings.records)
    views = every["cifar_contrastive"]
    record = findings.records["cifar_contrastive"]
    assert len(views.rows) == findings.points
    np.testing.assert_array_equal(views.labels, record.images.labels[views.rows])
    assert views.dimensions == (128, 3 * 32 * 32)
    direct = compute_separation(record.latents[views.rows], views.labels)
    assert views.in_latents.silhouette == pytest.approx(direct.silhouette)
    assert views.in_latents.hits.tolist() == direct.hits.tolist()
    others = every["cifar_autoencoder"]
    assert views.images == others.images != every["mnist_autoencoder"].images
    np.testing.assert_array_equal(views.pixels.plane, others.pixels.plane)


def test_everything_is_computed_once(
    findings: Findings,
    tmp_path,  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Six latent spaces and two kinds of pixels; nothing the second time; all for another seed."""
    asked: list[int] = []

    def count(points: np.ndarray, **settings: object) -> Embedding:
        asked.append(points.shape[1])
        plane = np.asarray(points[:, :2], dtype=np.float32)
        return Embedding(plane=plane, method="tsne", perplexity=30.0, components=50)

    monkeypatch.setattr(views, "embed", count)
    cold = replace(findings, cache=Cache(tmp_path), points=60)
    compute_views(cold)
    assert sorted(asked) == [128] * 6 + [784, 3072]
    compute_views(cold)
    assert len(asked) == 8
    compute_views(replace(cold, seed=1))
    assert len(asked) == 16


def test_a_drawing_tells_every_class_by_colour_and_marker() -> None:
    figure, (axis,) = style.axes()
    draw_embedding(axis, embed(CLUSTERS, method="pca"), LABELS, 3)
    looks = {(line.get_marker(), line.get_color()) for line in axis.lines}
    assert len(looks) == len({marker for marker, _ in looks}) == 3
    assert "PCA 1" in axis.get_xlabel() and "PCA 2" in axis.get_ylabel()
    style.close(figure)


def test_section(findings: Findings) -> None:
    section = tsne.section(findings)
    assert section.id == "tsne"
    pictures = figures(section)
    [table] = [b for b in section.blocks if isinstance(b, Table)]
    assert list(pictures) == [f"tsne_{n}" for n in findings.records]
    assert [row[:3] for row in table.rows[:2]] == [
        ("mnist_autoencoder", "latents", 128),
        ("mnist_autoencoder", "pixels", 784),
    ]
    assert len(table.rows) == 12
    for figure in pictures.values():
        check_drawn(figure)
    said = words(section)
    assert "perplexity 30" in said and "100 images" in said
    # A sentence a pair: two spaces without labels a data set, six against pixels, one for SimCLR.
    assert said.count("over the same images") == 2 * 2 + 6 + 2
    for first, second in (("supervised", "autoencoder"), ("contrastive", "autoencoder")):
        assert f"CIFAR-10 {first} is ahead of CIFAR-10 {second} by" in said


def test_section_without_some(findings: Findings, only, unfinished) -> None:  # type: ignore[no-untyped-def]
    record = findings.records["mnist_autoencoder"]
    few = only(findings, "mnist_autoencoder", mnist_autoencoder=unfinished(record))
    section = tsne.section(few)
    said = words(section)
    assert "not final" in said and "validation images" in said
    assert "python search/tune.py --pipeline cifar_contrastive" in said
    assert said.count("This cannot be said") == 2
    assert list(figures(section)) == ["tsne_mnist_autoencoder"]


def test_section_of_champion_and_best_trial_by_pca(findings: Findings, only, unfinished) -> None:  # type: ignore[no-untyped-def]
    """Test and validation images are other images: compared, not paired."""
    record = findings.records["mnist_autoencoder"]
    names = ("mnist_autoencoder", "mnist_contrastive")
    few = only(findings, *names, mnist_autoencoder=unfinished(record))
    section = tsne.section(replace(few, embedding="pca"))
    assert "not of the same images" in words(section)
    assert section.title.startswith("PCA") and "t-SNE keeps" not in words(section)
