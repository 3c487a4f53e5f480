"""The test set: opened here and nowhere else in search/, for weights whose choice is over.

Every reading leaves a line in `mlruns/test_readings.jsonl`: when, which weights, what for, and the
how-manieth of these weights it is. The line and the numbers are written together, at the end: a
reading that was killed before has shown its numbers to nobody.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models import VariationalEncoder
from search.finals.cells import TEST_METRICS, TEST_OUTPUTS, Kept
from search.rebuild import rebuild
from trainers.data import LabelledImages
from trainers.data.test_set import load_test
from trainers.evaluation import decoded_mae, encode, evidence_lower_bound
from trainers.loop import DeviceImages

LEDGER = "test_readings.jsonl"
BATCH_SIZE = 1000


class TestSet:
    """The official test images, on `device`.

    Args:
        dataset, data_dir, mini: as for `trainers.data.load_training`.
        ledger: file of the readings.
        device: `cpu` or `cuda`.
    """

    def __init__(
        self, dataset: str, *, data_dir: str | None, mini: bool, ledger: Path, device: str
    ) -> None:
        where = torch.device(device)
        self._images = DeviceImages.load(load_test(dataset, data_dir=data_dir, mini=mini), where)
        self._ledger = ledger
        self._device = device

    def read(self, kept: Kept, *, purpose: str) -> dict[str, Any]:
        """Measure the cell's weights, in float32, and put the numbers into its folder.

        Returns what `Kept.test` holds: accuracy, per class too, the confusion matrix (row: true,
        column: predicted), the reconstruction error where there is a decoder, and the reading.
        """
        model = rebuild(kept.model, kept.weights()).to(self._device)
        images, labels = self._images.images, self._images.labels
        latents = encode(model.encoder, self._images)
        predictions = _predict(model.classifier, latents)
        classes = int(predictions.shape[1])
        predicted = predictions.argmax(1)
        confusion = torch.bincount(labels * classes + predicted, minlength=classes**2)
        confusion = confusion.reshape(classes, classes).cpu()
        numbers: dict[str, Any] = {
            "accuracy": (predicted == labels).double().mean().item(),
            "images": len(images),
            "per_class": (confusion.diag().double() / confusion.sum(1)).tolist(),
            "confusion": confusion.tolist(),
        }
        if model.decoder is not None:
            numbers["mae"] = decoded_mae(model.decoder, latents, self._images)
        if isinstance(model.encoder, VariationalEncoder):
            assert model.decoder is not None
            numbers["elbo"], _ = evidence_lower_bound(
                model.encoder, model.decoder, self._images, seed=kept.cell.seed
            )
        outputs = {"predictions": predicted.to(torch.uint8), "labels": labels.to(torch.uint8)}
        if kept.cell.kind in ("trained", "ablation"):
            outputs["latents"] = latents
        partial = kept.folder / f".{os.getpid()}.npz"
        arrays: dict[str, Any] = {name: value.cpu().numpy() for name, value in outputs.items()}
        np.savez_compressed(partial, **arrays)
        numbers["reading"] = self._note(kept, purpose)
        written = kept.folder / f".{os.getpid()}.json"
        written.write_text(json.dumps(numbers, indent=1))
        partial.replace(kept.folder / TEST_OUTPUTS)
        written.replace(kept.folder / TEST_METRICS)  # last: it says that all is there
        return numbers

    def _note(self, kept: Kept, purpose: str) -> dict[str, Any]:
        return _note(self._ledger, kept.weights_hash(), {"cell": kept.cell.id, "purpose": purpose})


FIGURES = "figures of the report"


def images_for_figures(dataset: str, *, data_dir: str | None, mini: bool) -> LabelledImages:
    """The test images, to be drawn beside what was measured already; see `note_figures`."""
    return load_test(dataset, data_dir=data_dir, mini=mini)


def note_figures(home: Path, weights: str) -> None:
    """Note in the ledger, once, that figures of `weights` show the test images."""
    ledger = home / LEDGER
    noted = (line["weights"] == weights and line["purpose"] == FIGURES for line in readings(ledger))
    if not any(noted):
        _note(ledger, weights, {"purpose": FIGURES})


def _note(ledger: Path, weights: str, what: dict[str, str]) -> dict[str, Any]:
    before = sum(line["weights"] == weights for line in readings(ledger))
    reading = {
        "when": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "weights": weights,
        **what,
        "reading": before + 1,
    }
    with ledger.open("a", encoding="utf-8") as file:
        file.write(json.dumps(reading) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return reading


def readings(ledger: Path) -> list[dict[str, Any]]:
    """All readings so far, oldest first."""
    if not ledger.exists():
        return []
    return [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()]


@torch.no_grad()
def _predict(classifier: torch.nn.Module, latents: Tensor) -> Tensor:
    classifier.eval()
    return torch.cat([classifier(part) for part in latents.split(BATCH_SIZE)])
