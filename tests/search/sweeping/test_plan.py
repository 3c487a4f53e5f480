"""The forecast of a sweep."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from search.sweeping import plan as planning
from trainers.data import LabelledImages
from trainers.evaluation import PASSES


def test_the_forecast_counts_every_pass_of_the_protocols_classifier(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It fits a part of them, and 3 s for that part are more for all."""
    met: dict[str, int] = {}
    original = planning.fit_classifier

    def count(latents: Any, labels: Any, **values: Any) -> Any:
        met["passes"] = values.get("epochs", planning.EPOCHS)
        return original(latents, labels, **values)

    clock = iter([10.0, 13.0])
    monkeypatch.setattr(planning, "fit_classifier", count)
    monkeypatch.setattr(planning, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    resources = SimpleNamespace(device="cpu", cpus_per_trial=1, precision="float32")
    labels = np.arange(40) % 4
    images = np.zeros((40, 1, 2, 2), dtype=np.uint8)
    data: Any = SimpleNamespace(train=LabelledImages(images, labels), classes="abcd")
    plan: Any = SimpleNamespace(resources=resources)
    assert planning._classifier_seconds(data, plan) == pytest.approx(3 * PASSES / met["passes"])
