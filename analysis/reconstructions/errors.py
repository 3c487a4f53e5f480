"""How far reconstructions are from their images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from analysis import result_rows
from analysis.records import PipelineRecord, scaled
from trainers.baselines import empty_pca, fit_pca
from trainers.loop import DeviceImages

FIVE = 5
EXTREMES = 6  # best and as many worst images
SAMPLE = 10_000  # training images of the constant picture that any autoencoder must beat


@dataclass(frozen=True, kw_only=True)
class Reconstructions:
    """A decoder's reconstructions of a split.

    Attributes:
        errors: (N,) mean absolute error of each image, pixels in [0, 1].
        labels: (N,) classes.
        classes: names by label.
        five: (5,) rows of the images drawn at random.
        best, worst: (n,) rows with the smallest errors, and with the largest, the extreme first.
        pictures: row -> (image, reconstruction, PCA's reconstruction), each (C, H, W) float32 in
            [0, 1], for the rows above. PCA keeps as many numbers of an image as the encoder.
        constant: mean absolute error of the best constant picture, the pixels' median over
            training images.
        recorded: `test/mae` that the rerun measured of the same weights, None if not final.
        linear: mean `test/mae` of PCA with as many numbers, None where no rerun measured it.
    """

    errors: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    five: np.ndarray
    best: np.ndarray
    worst: np.ndarray
    pictures: Mapping[int, tuple[np.ndarray, np.ndarray, np.ndarray]]
    constant: float
    recorded: float | None
    linear: float | None

    @property
    def mean(self) -> float:
        """Over all images."""
        return float(self.errors.mean())

    @property
    def quantiles(self) -> tuple[float, ...]:
        """The values that 5, 50 and 95 % of the errors stay below."""
        return tuple(map(float, np.quantile(self.errors, (0.05, 0.5, 0.95))))

    def of_class(self, label: int) -> np.ndarray:
        """(n,) errors of that class."""
        errors: np.ndarray = self.errors[self.labels == label]
        return errors

    @property
    def hardest_first(self) -> list[int]:
        """Labels that occur, by falling mean error."""
        present = [int(label) for label in np.unique(self.labels)]
        return sorted(present, key=lambda label: -self.of_class(label).mean())

    @property
    def explained_by_class(self) -> float:
        """Share of the errors' variance that lies between the classes' means, in [0, 1]."""
        of_classes = ndimage.mean(self.errors, self.labels, index=self.labels)
        return float(np.var(of_classes) / np.var(self.errors)) if np.ptp(self.errors) else 0.0


def absolute_errors(images: np.ndarray, reconstructed: np.ndarray) -> np.ndarray:
    """Mean absolute error of each image.

    Args:
        images, reconstructed: (N, C, H, W), each uint8 or float in [0, 1].

    Returns:
        (N,) float64, in [0, 1].
    """
    if images.shape != reconstructed.shape:
        raise ValueError(f"images are {images.shape}, reconstructions {reconstructed.shape}")
    difference = np.abs(scaled(images) - scaled(reconstructed))
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
    originals, decoded = scaled(images[shown]), record.decode(record.latents[shown])
    linear = _by_pca(record, originals)
    return Reconstructions(
        errors=stored["errors"],
        labels=record.images.labels,
        classes=record.classes,
        five=chosen,
        best=best,
        worst=worst,
        pictures={int(row): (originals[i], decoded[i], linear[i]) for i, row in enumerate(shown)},
        constant=float(stored["constant"]),
        recorded=_recorded(record),
        linear=result_rows.mean(result_rows.find(record, result_rows.PCA), "test/mae"),
    )


def _measure(record: PipelineRecord) -> dict[str, np.ndarray]:
    images = record.images.images
    median = np.median(record.data.train.images[:SAMPLE], axis=0).astype(np.float32) / 255
    errors, constant = [], []
    for start in range(0, len(images), 1000):  # all at once would be half a gigabyte
        part = scaled(images[start : start + 1000])
        errors.append(absolute_errors(part, record.decode(record.latents[start : start + 1000])))
        constant.append(absolute_errors(part, np.broadcast_to(median, part.shape)))
    return {
        "errors": np.concatenate(errors),
        "constant": np.array(np.concatenate(constant).mean()),
    }


def _by_pca(record: PipelineRecord, images: np.ndarray) -> np.ndarray:
    """(B, C, H, W) in [0, 1] -> what PCA with as many numbers as the encoder's makes of them."""
    numbers = record.latents.shape[1]

    def fit() -> dict[str, np.ndarray]:
        train = DeviceImages.load(record.data.train, torch.device("cpu"))
        state = fit_pca(train, latent_dim=numbers).encoder.state_dict()
        return {name: value.numpy() for name, value in state.items()}

    key = {"data": record.data.fingerprint, "images": len(record.data.train), "numbers": numbers}
    state = {n: torch.from_numpy(v) for n, v in record.cache.get("pca", key, fit).items()}
    pca = empty_pca(channels=images.shape[1], size=images.shape[2], latent_dim=numbers)
    assert pca.decoder is not None
    for part in (pca.encoder, pca.decoder):
        part.load_state_dict(state)
    decoded: np.ndarray = pca.decoder(pca.encoder(torch.from_numpy(images))).numpy()
    return decoded


def _recorded(record: PipelineRecord) -> float | None:
    champion = result_rows.champion(record)
    if champion is None or record.result is None:
        return None
    measured, cell = champion["metrics"].get("test/mae", []), record.result["model"]["cell"]
    if not measured or cell not in champion["cells"]:
        return None
    return float(measured[champion["cells"].index(cell)])
