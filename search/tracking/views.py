"""Saved views for MLflow's run table: the important columns, the best run on top.

Without a view the table opens without metrics and parameters. MLflow keeps a saved view as an
experiment tag, JSON packed with zlib. The format is undocumented and taken from MLflow 3.17; an
older user interface ignores the tag.
"""

from __future__ import annotations

import base64
import json
import time
import zlib
from collections.abc import Iterable, Sequence

from search.spaces.goals import FEASIBLE, FRONT
from search.spaces.pipeline import OBJECTIVE, Pipeline

TRIALS = "best-trials"
FINALS = "final-numbers"
MEASURES = ("accuracy", "linear_accuracy", "knn_accuracy")  # side by side: MLflow sorts by name
LOCAL_SERVER = "http://127.0.0.1:5000"


def tag(key: str) -> str:
    """The experiment tag of the view `key`."""
    return f"mlflow.sharedViewState.{key}"


def trial_view(*, params: Iterable[str]) -> str:
    """All trials of an experiment, the best first; those without an end have no objective."""
    best = f"metrics.`{OBJECTIVE}`"
    columns = [
        *("tags.`trial_state`", f"tags.`{FEASIBLE}`", f"tags.`{FRONT}`"),
        best,
        *(f"metrics.`valid/{measure}`" for measure in MEASURES),
        *(f"params.`{name}`" for name in params),
    ]
    return _view("Best trials", "tags.kind = 'trial'", best, columns)


def final_view(*, rerun: str, params: Iterable[str]) -> str:
    """The runs of one rerun: champion, other candidates, ablation, baselines."""
    columns = [
        "tags.`row`",
        "tags.`champion`",
        *(
            f"metrics.`{images}/{measure}`"
            for images in ("test", "valid", "train")
            for measure in MEASURES
        ),
        "metrics.`test/mae`",
        "metrics.`model/parameters`",
        *(f"params.`{name}`" for name in params),
    ]
    return _view("Final numbers", f"tags.rerun = '{rerun}'", "metrics.`test/accuracy`", columns)


def address(experiment_id: str, key: str = TRIALS, *, server: str = LOCAL_SERVER) -> str:
    """The address that opens the view."""
    return f"{server}/#/experiments/{experiment_id}/runs?viewStateShareKey={key}"


def _view(name: str, condition: str, order: str, columns: Sequence[str]) -> str:
    state = {
        "searchFilter": condition,
        "orderByKey": order,
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(columns),
        "runsHiddenMode": "FIRST_20_RUNS",
    }
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    now = int(time.time() * 1000)
    view = {"name": name, "createdAt": now, "updatedAt": now}
    return json.dumps({**view, "state": f"deflate;{packed}"})


def experiment_tags(pipeline: Pipeline, source: str) -> dict[str, str]:
    """The tags of a new experiment: a description and a view of the best trials.

    Args:
        source: the data's source, `real` or `mini`.
    """
    view = trial_view(params=pipeline.space)
    return {"mlflow.note.content": _note(pipeline, source), tag(TRIALS): view}


def _note(pipeline: Pipeline, source: str) -> str:
    stand_in = "**Stand-in data, not a result.** " if source == "mini" else ""
    return f"{stand_in}{pipeline.summary}. The artifact `search.html` of a study has its plots."
