"""A saved view for MLflow's run table: the trials, best first, with the columns that matter.

Without it the table opens with no metric and no parameter in sight. MLflow keeps a saved view as
an experiment tag, JSON packed with zlib; it is undocumented, read off MLflow 3.17, and an older
user interface just ignores the tag.
"""

from __future__ import annotations

import base64
import json
import time
import zlib
from collections.abc import Iterable

KEY = "best-trials"
TAG = f"mlflow.sharedViewState.{KEY}"


def saved_view(*, metric: str, params: Iterable[str]) -> str:
    """The value of the experiment tag `TAG`."""
    best = f"metrics.`best/{metric}`"
    columns = [
        "tags.`trial_state`",
        best,
        "metrics.`valid/linear_accuracy`",
        "metrics.`model/parameters`",
        "metrics.`time/images_per_second`",
        *(f"params.`{name}`" for name in params),
    ]
    state = {
        "searchFilter": "tags.kind = 'trial'",
        "orderByKey": best,
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        "runsHiddenMode": "FIRST_20_RUNS",
    }
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    now = int(time.time() * 1000)
    view = {"name": "Best trials", "createdAt": now, "updatedAt": now}
    return json.dumps({**view, "state": f"deflate;{packed}"})


def address(experiment_id: str, *, server: str = "http://127.0.0.1:5000") -> str:
    """Where the view opens."""
    return f"{server}/#/experiments/{experiment_id}/runs?viewStateShareKey={KEY}"
