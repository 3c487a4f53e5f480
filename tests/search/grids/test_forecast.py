"""The forecast of a sweep."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from search.cluster.resources import Resources
from search.grids import forecast as forecasting
from trainers.classifiers import EPOCHS
from trainers.data import LabelledImages


def test_the_forecast_counts_every_epoch_of_the_protocols_classifier(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It fits a part of them, and 3 s for that part are more for all."""
    met: dict[str, int] = {}
    original = forecasting.fit_classifier

    def count(latents: Any, labels: Any, **values: Any) -> Any:
        met["epochs"] = values["epochs"]
        return original(latents, labels, **values)

    clock = iter([10.0, 13.0])
    monkeypatch.setattr(forecasting, "fit_classifier", count)
    monkeypatch.setattr(forecasting, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    resources = Resources()
    labels = np.arange(40) % 4
    images = np.zeros((40, 1, 2, 2), dtype=np.uint8)
    train = LabelledImages(images, labels)
    data: Any = SimpleNamespace(dataset="mnist", train=train, classes="abcd")
    plan: Any = SimpleNamespace(resources=resources)
    seconds = forecasting._classifier_seconds(data, plan)
    assert seconds == pytest.approx(3 * EPOCHS / met["epochs"])
