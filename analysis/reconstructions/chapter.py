"""Images beside what the decoder makes of them: how far off, for which images and classes.

from analysis import reconstructions
reconstructions.absolute_errors(images, record.decode(record.encode(images)))  # (N,)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure as Canvas

from analysis import rows, style
from analysis.document import Figure, Paragraph, Section, Table
from analysis.mosaics import figure_of
from analysis.provenance import absent, source_of, title_of
from analysis.reconstructions.figures import (
    compose_extremes,
    compose_five,
    draw_by_class,
    draw_histogram,
)
from analysis.reconstructions.words import describe, introduce
from analysis.records import Findings, PipelineRecord

FIVE = 5
EXTREMES = 6  # best and as many worst images
SAMPLE = 10_000  # training images of the constant picture that any autoencoder must beat


@dataclass(frozen=True, kw_only=True)
class Reconstructions:
    """What a decoder makes of a split.

    Attributes:
        errors: (N,) mean absolute error of each image, pixels in [0, 1].
        labels: (N,) classes.
        classes: names by label.
        contrast: (N,) standard deviation of each image's pixels, in [0, 1].
        five: (5,) rows of the images drawn at random.
        best, worst: (n,) rows with the smallest errors, and with the largest, the extreme first.
        pictures: row -> (image, reconstruction), each (C, H, W) float32 in [0, 1], for the rows
            above.
        constant: mean absolute error of the best constant picture, the pixels' median over
            training images.
        recorded: `test/mae` that the rerun measured of the same weights, None if not final.
        linear: mean `test/mae` of PCA with as many numbers, None where no rerun measured it.
    """

    errors: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    contrast: np.ndarray
    five: np.ndarray
    best: np.ndarray
    worst: np.ndarray
    pictures: Mapping[int, tuple[np.ndarray, np.ndarray]]
    constant: float
    recorded: float | None
    linear: float | None

    def __post_init__(self) -> None:
        count = len(self.errors)
        for name in ("errors", "labels", "contrast"):
            if getattr(self, name).shape != (count,):
                raise ValueError(f"{name} must be ({count},), not {getattr(self, name).shape}")
        if not ((self.errors >= 0) & (self.errors <= 1)).all():
            raise ValueError("errors must lie in [0, 1]")
        if self.five.shape != (FIVE,):
            raise ValueError(f"five must be ({FIVE},), not {self.five.shape}")
        shown = {int(row) for row in np.concatenate([self.five, self.best, self.worst])}
        if shown - set(self.pictures):
            raise ValueError(f"no pictures of rows {sorted(shown - set(self.pictures))}")

    @property
    def mean(self) -> float:
        """Over all images."""
        return float(self.errors.mean())

    def of_class(self, label: int) -> np.ndarray:
        """(n,) errors of that class."""
        found: np.ndarray = self.errors[self.labels == label]
        return found

    @property
    def hardest_first(self) -> list[int]:
        """Labels that occur, by falling mean error."""
        present = [int(label) for label in np.unique(self.labels)]
        return sorted(present, key=lambda label: -self.of_class(label).mean())

    @property
    def explained_by_class(self) -> float:
        """Share of the errors' variance that lies between the classes' means, in [0, 1]."""
        total = float(((self.errors - self.mean) ** 2).sum())
        parts = [self.of_class(label) for label in self.hardest_first]
        between = sum(len(part) * (part.mean() - self.mean) ** 2 for part in parts)
        return float(between / total) if total else 0.0


def absolute_errors(images: np.ndarray, reconstructed: np.ndarray) -> np.ndarray:
    """Mean absolute error of each image.

    Args:
        images, reconstructed: (N, C, H, W), each uint8 or float in [0, 1].

    Returns:
        (N,) float64, in [0, 1].
    """
    if images.shape != reconstructed.shape:
        raise ValueError(f"images are {images.shape}, reconstructions {reconstructed.shape}")
    difference = np.abs(_scaled(images) - _scaled(reconstructed))
    errors: np.ndarray = difference.reshape(len(images), -1).mean(axis=1, dtype=np.float64)
    return errors


def five(record: PipelineRecord, seed: int) -> np.ndarray:
    """(5,) rows of five random images of `record.images`, of five different classes.

    Raises:
        ValueError: the images have fewer than five classes.
    """
    labels = record.images.labels
    present = np.unique(labels)
    if len(present) < FIVE:
        raise ValueError(f"{record.name}: {len(present)} classes, five are needed")
    rng = np.random.default_rng(seed)
    chosen = rng.choice(present, FIVE, replace=False)
    return np.array([rng.choice(np.flatnonzero(labels == label)) for label in chosen])


def compute_reconstructions(record: PipelineRecord, seed: int) -> Reconstructions:
    """Reconstruct all images of the record's split (cached by weights); `seed` chooses the five."""
    images = record.images.images
    key = {
        **{"weights": record.weights, "split": record.split, "images": len(images)},
        **{"data": record.data.fingerprint, "sample": SAMPLE},
    }
    stored = record.cache.get("reconstructions", key, lambda: _measure(record))
    order = np.argsort(stored["errors"], kind="stable")
    few = min(EXTREMES, len(order) // 2)
    chosen, best, worst = five(record, seed), order[:few], order[::-1][:few]
    shown = np.unique(np.concatenate([chosen, best, worst]))
    decoded = record.decode(record.latents[shown])
    return Reconstructions(
        errors=stored["errors"],
        labels=record.images.labels,
        classes=record.classes,
        contrast=stored["contrast"],
        five=chosen,
        best=best,
        worst=worst,
        pictures={
            int(row): (_scaled(images[row]), picture)
            for row, picture in zip(shown, decoded, strict=True)
        },
        constant=float(stored["constant"]),
        recorded=_recorded(record),
        linear=rows.mean(rows.find(record, rows.PCA), "test/mae"),
    )


def _measure(record: PipelineRecord) -> dict[str, np.ndarray]:
    images = record.images.images
    median = np.median(record.data.train.images[:SAMPLE], axis=0).astype(np.float32) / 255
    errors, contrast, constant = [], [], []
    for start in range(0, len(images), 1000):  # all at once would be half a gigabyte
        part = _scaled(images[start : start + 1000])
        errors.append(absolute_errors(part, record.decode(record.latents[start : start + 1000])))
        contrast.append(part.reshape(len(part), -1).std(axis=1))
        constant.append(absolute_errors(part, np.broadcast_to(median, part.shape)))
    return {
        "errors": np.concatenate(errors),
        "contrast": np.concatenate(contrast),
        "constant": np.array(np.concatenate(constant).mean()),
    }


def _recorded(record: PipelineRecord) -> float | None:
    champion = rows.champion(record)
    if champion is None or record.result is None:
        return None
    measured, cell = champion["metrics"].get("test/mae", []), record.result["model"]["cell"]
    if not measured or cell not in champion["cells"]:
        return None
    return float(measured[champion["cells"].index(cell)])


def _scaled(images: np.ndarray) -> np.ndarray:
    """uint8 or float -> float32 in [0, 1]."""
    return images.astype(np.float32) / (255 if images.dtype == np.uint8 else 1)


def section(findings: Findings) -> Section:
    """The part of the report."""
    records = findings.of(method="autoencoder")
    computed = {record.name: compute_reconstructions(record, findings.seed) for record in records}
    blocks: list[Paragraph | Figure | Table] = [
        *absent(findings, ("mnist_autoencoder", "cifar_autoencoder"))
    ]
    if records:
        blocks.insert(0, Paragraph(introduce(findings.seed)))
        blocks.append(_table(records, computed))
    for record in records:
        blocks += [
            _five_figure(record, computed[record.name]),
            Paragraph(describe(record, computed[record.name])),
            _distribution_figure(record, computed[record.name]),
            _extremes_figure(record, computed[record.name]),
        ]
    return Section(id="reconstructions", title="Reconstructions", blocks=tuple(blocks))


def _table(records: list[PipelineRecord], computed: Mapping[str, Reconstructions]) -> Table:
    lines = []
    for record in records:
        found = computed[record.name]
        low, median, high = np.quantile(found.errors, (0.05, 0.5, 0.95))
        lines.append(
            (
                *(title_of(record), record.split, len(found.errors), found.mean),
                *(float(low), float(median), float(high), float(found.errors.max())),
                *(found.recorded, found.linear, found.constant),
            )
        )
    return Table(
        name="reconstructions",
        title="Mean absolute error of the reconstructions",
        caption="Pixels in [0, 1]; quantiles over images. Recorded: what the rerun measured of the "
        "same weights on the test set. PCA: 128 principal components, mean over the rerun's "
        "seeds. Constant: the pixels' median over training images, the same answer to every "
        f"image. {'; '.join(f'{title_of(r)}: {source_of(r)}' for r in records)}.",
        columns=(
            *("autoencoder", "split", "images", "mean", "5 %", "median", "95 %", "largest"),
            *("recorded", "PCA", "constant"),
        ),
        rows=tuple(lines),
    )


def _five_figure(record: PipelineRecord, found: Reconstructions) -> Figure:
    def draw() -> Canvas:
        return figure_of(
            compose_five(found),
            title=f"{title_of(record)}: five random {record.split} images",
            x_label="image (its class above it)",
            y_label="what is shown",
        )

    names = ", ".join(found.classes[found.labels[row]] for row in found.five)
    return Figure(
        name=f"reconstructions_{record.name}",
        title=f"{title_of(record)}: five images beside their reconstructions",
        caption=f"Five random images of different classes ({names}; {source_of(record)}). Above "
        "the image, in the middle what the decoder makes of its 128 numbers with the mean absolute "
        "error on pixels in [0, 1], below where the error lies, the mean over colours at each "
        f"pixel. The error over the five is {found.errors[found.five].mean():.4f} on average, over "
        f"all images {found.mean:.4f}.",
        draw=draw,
        alt=f"Five images of {names} in a row, their reconstructions and errors below them.",
    )


def _distribution_figure(record: PipelineRecord, found: Reconstructions) -> Figure:
    def draw() -> Canvas:
        figure, axes = style.axes(1, 2, width=8.0, height=3.8)
        draw_histogram(axes[0], found)
        draw_by_class(axes[1], found)
        return figure

    return Figure(
        name=f"reconstruction_errors_{record.name}",
        title=f"{title_of(record)}: distribution of the error",
        caption="Mean absolute error of each image, pixels in [0, 1] "
        f"({source_of(record)}). Left: all images. Right: one histogram for each class, all "
        "scaled to the same area, the class with the largest mean at the top; the upright stroke "
        "is the class's mean.",
        draw=draw,
        alt=f"Histograms of the error around {found.mean:.4f}, for all images and by class.",
    )


def _extremes_figure(record: PipelineRecord, found: Reconstructions) -> Figure:
    def draw() -> Canvas:
        return figure_of(
            compose_extremes(found),
            title=f"{title_of(record)}: best and worst reconstructions",
            x_label="image, from the extreme inwards",
            y_label="what is shown",
        )

    best, worst = found.errors[found.best[0]], found.errors[found.worst[0]]
    return Figure(
        name=f"reconstruction_extremes_{record.name}",
        title=f"{title_of(record)}: best and worst",
        caption=f"The {len(found.best)} images with the smallest error above, those with the "
        f"largest below, each over its reconstruction ({source_of(record)}). The errors run from "
        f"{best:.4f} to {worst:.4f}. The images' contrast (standard deviation of pixels in "
        f"[0, 1]) is {found.contrast[found.best].mean():.2f} on average among these best and "
        f"{found.contrast[found.worst].mean():.2f} among these worst.",
        draw=draw,
        alt="Two rows of images and reconstructions with small errors, two with large ones.",
    )
