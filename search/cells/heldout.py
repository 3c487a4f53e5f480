"""The test set: opened here and nowhere else in search/, for weights whose choice is over.

Every reading leaves a line in `mlruns/test_readings.jsonl`: when, which weights, what for, and the
how-manieth of these weights it is. The line and the numbers are written together, at the end: a
reading that was killed before has shown its numbers to nobody. A line that was cut by a machine
that stopped is skipped, and still counts for its weights if it names them.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models import LatentModel, VariationalEncoder
from search.cells.cell import TEST_METRICS, TEST_OUTPUTS, damaged_test
from search.cells.store import TrainedCell
from search.files import durable, seals
from trainers import protocol
from trainers.classifiers import nearest_classes, unscaled
from trainers.data import LabelledImages, TrainingData
from trainers.data.test_set import load_test_of
from trainers.evaluation import (
    decoded_mae,
    encode,
    evidence_lower_bound,
    information,
    judging_views,
)
from trainers.loop import DeviceImages
from trainers.measures.structure import rankme
from trainers.precision import exact_float32

log = logging.getLogger(__name__)

Say = Callable[[str], object]
LEDGER = "test_readings.jsonl"
NAMED = re.compile(rb'"weights": "([0-9a-f]{16})"')
_told: set[tuple[Path, int]] = set()  # lines that are damaged
BATCH_SIZE = 1000


class TestSet:
    """The official test images, on `device`.

    Args:
        data: training images, which are the bank of the nearest neighbours.
        data_dir: as for `trainers.data.load_training`.
        device: `cpu` or `cuda`.
        say: is told of lines of the ledger that are damaged.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        data_dir: str | None,
        ledger: Path,
        device: str,
        say: Say = log.warning,
    ) -> None:
        where = torch.device(device)
        test = load_test_of(data, data_dir)
        self._views = judging_views(data.spec)
        self._images = DeviceImages.load(test, where)
        self._train = DeviceImages.load(data.train, where)
        self._ledger = ledger
        self._device = device
        self._say = say

    @exact_float32()
    def read(self, kept: TrainedCell, *, purpose: str) -> dict[str, Any]:
        """Measure the cell's weights, in float32, and put the numbers into its folder.

        Returns what `TrainedCell.test` holds: the protocol's three accuracies, the classifier's per
        class too, its confusion matrix (row: true, column: predicted), where there are labels; the
        latents' rank; the reconstruction error where there is a decoder; the reading.
        """
        if (kept.folder / TEST_METRICS).exists() and (name := damaged_test(kept.folder)):
            self._say(f"{kept.folder / name} is missing or damaged; the test set is read again")
        model = kept.network(self._device)
        latents = encode(model.encoder, self._images)
        numbers: dict[str, Any] = {
            "images": len(latents),
            "rankme": rankme(latents),
        }
        if self._views:
            numbers["view_information"] = information(model.encoder, self._images, self._views)
        outputs: dict[str, Tensor] = {}
        if model.classifier is not None:
            measured, outputs = self._classified(model, latents)
            numbers |= measured
        if model.decoder is not None:
            numbers["mae"] = decoded_mae(model.decoder, latents, self._images)
        if isinstance(model.encoder, VariationalEncoder) and model.decoder is not None:
            numbers["elbo"], _ = evidence_lower_bound(
                model.encoder, model.decoder, self._images, seed=kept.cell.seed
            )
        if kept.cell.kind in ("trained", "ablation"):
            outputs["latents"] = latents
        arrays: dict[str, Any] = {name: value.cpu().numpy() for name, value in outputs.items()}
        with (
            durable.replacing(kept.folder / TEST_METRICS) as metrics,  # last: it says all is there
            durable.replacing(kept.folder / TEST_OUTPUTS) as file,
        ):
            np.savez_compressed(file, **arrays)
            file.flush()
            what = {"cell": kept.cell.id, "purpose": purpose, "protocol": protocol.VERSION}
            numbers["reading"] = _note(self._ledger, kept.weights_hash(), what, self._say)
            numbers = seals.seal(numbers, {TEST_OUTPUTS: Path(file.name)})
            metrics.write(json.dumps(numbers, indent=1).encode())
        return numbers

    def _classified(
        self, model: LatentModel, latents: Tensor
    ) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The three classifiers' numbers, and (N,) what each said of every image."""
        assert model.classifier is not None and model.linear is not None
        labels = self._images.labels
        logits = _logits(model.classifier, latents)
        classes = int(logits.shape[1])
        predicted = logits.argmax(1)
        linear = _logits(model.linear, latents).argmax(1)
        bank = encode(model.encoder, self._train)
        nearest = nearest_classes(
            unscaled(model.encoder, latents),
            unscaled(model.encoder, bank),
            self._train.labels,
            classes=classes,
        )
        outputs = {"predictions": predicted, "linear_predictions": linear}
        outputs |= {"knn_predictions": nearest, "labels": labels}
        shares = {name: (found == labels).double().mean().item() for name, found in outputs.items()}
        confusion = torch.bincount(labels * classes + predicted, minlength=classes**2)
        confusion = confusion.reshape(classes, classes).cpu()
        numbers = {
            "accuracy": shares["predictions"],
            "linear_accuracy": shares["linear_predictions"],
            "knn_accuracy": shares["knn_predictions"],
            "per_class": (confusion.diag().double() / confusion.sum(1)).tolist(),
            "confusion": confusion.tolist(),
        }
        kind = torch.uint8 if classes <= 256 else torch.int32
        return numbers, {name: found.to(kind) for name, found in outputs.items()}


FIGURES = "figures of the report"


def images_for_figures(data: TrainingData, data_dir: str | None) -> LabelledImages:
    """The test images, to be drawn beside what was measured already; see `note_figures`."""
    return load_test_of(data, data_dir)


def note_figures(home: Path, weights: str) -> None:
    """Note in the ledger, once, that figures of `weights` show the test images."""
    ledger = home / LEDGER
    noted = ((line["weights"], line.get("purpose")) for line in readings(ledger))
    if (weights, FIGURES) not in noted:
        _note(ledger, weights, {"purpose": FIGURES}, log.warning)


def _note(ledger: Path, weights: str, what: dict[str, Any], say: Say) -> dict[str, Any]:
    reading = {
        "when": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "weights": weights,
        **what,
        "reading": 1 + sum(line["weights"] == weights for line in readings(ledger, say)),
    }
    cut = ledger.exists() and ledger.read_bytes()[-1:] not in (b"", b"\n")
    with ledger.open("a", encoding="utf-8") as file:
        file.write("\n" * cut + json.dumps(reading) + "\n")
        file.flush()
        os.fsync(file.fileno())
    durable.sync(ledger.parent)  # the ledger may be new
    return reading


def count_readings(ledger: Path, experiment: str) -> dict[str, int]:
    """Version of the protocol -> how often reruns of the experiment read the test set by it.

    A training counts each time that it was measured; what was read before the version was noted was
    read by version 1.
    """
    purposes = [(str(line.get("purpose")), line.get("protocol", 1)) for line in readings(ledger)]
    counts = Counter(n for purpose, n in purposes if purpose.startswith(f"{experiment} rerun "))
    return {str(version): counts[version] for version in sorted(counts)}


def readings(ledger: Path, say: Say = log.warning) -> list[dict[str, Any]]:
    """All readings so far, oldest first.

    `say` gets one sentence for each line that was cut or damaged. If such a line still names its
    weights, it counts: they may have been read.
    """
    if not ledger.exists():
        return []
    entries = []
    for number, line in enumerate(ledger.read_bytes().splitlines(), start=1):
        try:
            whole = json.loads(line)
            entries.append({"weights": whole["weights"], **whole})
        except (ValueError, TypeError, KeyError):
            if line and (ledger, number) not in _told:
                _told.add((ledger, number))
                say(f"{ledger}: line {number} is cut or damaged, and skipped")
            if named := NAMED.search(line):
                entries.append({"weights": named[1].decode()})
    return entries


@torch.no_grad()
def _logits(classifier: torch.nn.Module, latents: Tensor) -> Tensor:
    classifier.eval()
    return torch.cat([classifier(part) for part in latents.split(BATCH_SIZE)])
