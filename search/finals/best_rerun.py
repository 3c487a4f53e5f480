"""The finished reruns of a pipeline: which of them holds its champion."""

from __future__ import annotations

import json
import logging
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search.cells.opening import read_sealed, rerun_command
from search.errors import UserError
from search.files import seals
from search.finals.comparisons import comparable
from search.spaces.pipeline import experiment_name, load_pipeline
from search.tracking.store import RunView, Store
from trainers import protocol
from trainers.protocol import version_of

RESULTS = "results.json"
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A rerun that came to its end."""

    run: RunView
    result: dict[str, Any]

    @property
    def command(self) -> str:
        """The command that makes it again."""
        return rerun_command(self.run.tags, self.result["experiment"])

    @property
    def trained(self) -> str:
        """Equal for reruns whose champions are one configuration, trained equally long."""
        return json.dumps([self.result["params"], self.result["epochs"]], sort_keys=True)

    @property
    def standing(self) -> tuple[bool, float]:
        """Ranks reruns by their champions."""
        metric = self.result.get("metric") or load_pipeline(self.result["pipeline"]).metric
        return standing(self.result["rows"][0], metric)


def standing(row: Mapping[str, Any], metric: str) -> tuple[bool, float]:
    """Ranks rows of results.json, best last, by their mean on validation images.

    Several seeds go before a single one, for the best of single ones is the luckiest.
    """
    values = row["metrics"][metric]
    return len(values) > 1, statistics.fmean(values)


def finished_reruns(store: Store, experiment: str) -> list[Finished]:
    """All of an experiment, the latest first."""
    reruns = []
    for run in store.runs(experiment, kind="rerun"):
        if run.status == "FINISHED":
            name = experiment_name(str(run.tags.get("pipeline")), run.tags.get("data", "real"))
            again = rerun_command(run.tags, name)
            try:
                result = read_sealed(store, run.run_id, RESULTS, again=again)
                reruns.append(Finished(run=run, result=result))
            except UserError as error:  # the others are worth what they were
                log.warning("%s", error)
    return reruns


def write_result(store: Store, run_id: str, result: Mapping[str, Any]) -> None:
    """Write a rerun's results.json."""
    store.log_text(run_id, json.dumps(seals.seal(result, {}), indent=1), RESULTS)


def best_rerun(
    store: Store, experiment: str, *, protocol: int = protocol.VERSION
) -> Finished | None:
    """The one whose champion is best on validation images; None where none is finished.

    A short training for its own sake, or one at another size, thus hides no better one, nor does
    one seed hide several. Of equal configurations the latest rerun counts, which may have more
    seeds; only what was measured by `protocol` and on the latest rerun's data does.
    """
    newest: dict[str, Finished] = {}
    reruns = [
        one for one in finished_reruns(store, experiment) if version_of(one.result) == protocol
    ]
    for one in reruns:
        if comparable(one.result, reruns[0].result):
            newest.setdefault(one.trained, one)
    return max(newest.values(), key=lambda one: one.standing, default=None)
