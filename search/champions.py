"""The champions: `champions.load("cifar_contrastive")` returns the trained network.

The function rebuilds it from safetensors and a small JSON file, and so unpickles nothing.
"""

from __future__ import annotations

from models import LatentModel
from search.cells.opening import open_cell, rerun_command
from search.errors import Failure
from search.files.home import HOME
from search.tracking import address, registry
from search.tracking.store import PARENT, open_existing


def load(name: str, *, tracking_uri: str | None = None) -> LatentModel:
    """Load a pipeline's champion (`<pipeline>-mini` for stand-in data) on the CPU, in eval mode.

    (B, C, H, W) float in [0, 1] -> (B, K) logits; its parts are `encoder`, `classifier` and, for
    autoencoders, `decoder`.

    Args:
        tracking_uri: MLflow's store; by default `$MLFLOW_TRACKING_URI`, else `mlruns/mlflow.db`
            below the current folder.

    Raises:
        UserError: the store or the champion is missing, or a file of it is missing or damaged.
    """
    store = open_existing(address.resolve_uri(tracking_uri, HOME.absolute()))
    run_id = registry.champion_run(store, name)
    if run_id is None:
        raise Failure(
            f"{name} has no champion in {store.shown}\nmake one: {rerun_command({}, name)}"
        )
    parent = store.tags(run_id).get(PARENT)
    again = rerun_command(store.tags(parent) if parent else {}, name)
    return open_cell(store, run_id, again=again).model
