"""The finished reruns of a pipeline: which of them holds its champion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search.pipeline import load_pipeline
from search.tracking import RunView, Store


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A rerun that came to its end.

    Attributes:
        run: its own in MLflow.
        result: its results.json.
    """

    run: RunView
    result: dict[str, Any]

    @property
    def trained(self) -> str:
        """Equal for reruns whose champions are one configuration, trained equally long."""
        return json.dumps([self.result["params"], self.result["epochs"]], sort_keys=True)

    @property
    def value(self) -> float:
        """What the champion was chosen by, on validation images: the mean over its seeds."""
        metric = load_pipeline(self.result["pipeline"]).metric
        return float(self.result["rows"][0]["means"][metric]["mean"])

    @property
    def standing(self) -> tuple[bool, float]:
        """Ranks reruns: several seeds go first, for the best of single ones is the luckiest."""
        return len(self.result["rows"][0]["seeds"]) > 1, self.value


def finished_reruns(store: Store, experiment: str) -> list[Finished]:
    """All of an experiment, the latest first."""
    found = []
    for run in store.runs(experiment, kind="rerun"):
        text = store.read_text(run.run_id, "results.json") if run.status == "FINISHED" else None
        if text:
            found.append(Finished(run=run, result=json.loads(text)))
    return found


def comparable(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two results.json were measured on the same data, by the same classifier.

    Versions from before the classifier was recorded have none, and are comparable to each other.
    """
    return all(one.get(name) == other.get(name) for name in ("data_fingerprint", "classifier"))


def best_rerun(store: Store, experiment: str) -> Finished | None:
    """The one whose champion is best on validation images; None where none is finished.

    A short training for its own sake, or one at another size, thus hides no better one, nor does
    one seed hide several. Of equal configurations the latest rerun counts, which may have more
    seeds; only what was measured on the latest rerun's data and by its classifier does.
    """
    newest: dict[str, Finished] = {}
    for one in (found := finished_reruns(store, experiment)):
        if comparable(one.result, found[0].result):
            newest.setdefault(one.trained, one)
    return max(newest.values(), key=lambda one: one.standing, default=None)
