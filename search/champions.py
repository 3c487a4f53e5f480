"""The champions: `champions.load("cifar_contrastive")` returns the trained network.

The function rebuilds it from safetensors and a small JSON file, and so unpickles nothing.
"""

from __future__ import annotations

from pathlib import Path

from models import LatentModel
from search.cells.opening import Opened, open_cell, open_folder, rerun_command
from search.errors import Failure, without_secrets
from search.files.home import HOME, PUBLISHED
from search.files.sqlite import sqlite_uri
from search.tracking import address, registry
from search.tracking.store import PARENT, open_existing


def load(name: str, *, tracking_uri: str | None = None) -> LatentModel:
    """Load a pipeline's champion (`<pipeline>-mini` for stand-in data) on the CPU, in eval mode.

    (B, C, H, W) float in [0, 1] -> (B, K) logits; its parts are `encoder`, `classifier` and, for
    autoencoders, `decoder`.

    Args:
        tracking_uri: MLflow's store; by default `$MLFLOW_TRACKING_URI`, else `mlruns/mlflow.db`
            below the current folder. Where the default has no such champion, the published one is
            loaded, in a clone of the repository.

    Raises:
        UserError: the store or the champion is missing, or a file of it is missing or damaged.
    """
    return find(name, tracking_uri=tracking_uri).model


def find(name: str, *, tracking_uri: str | None = None) -> Opened:
    """As `load`, with the champion's description beside the network."""
    home = HOME.absolute()
    uri = address.resolve_uri(tracking_uri, home)
    published = published_folder(name)
    by_default = uri == sqlite_uri(home / "mlflow.db") and published.is_dir()
    store = None if by_default and not (home / "mlflow.db").exists() else open_existing(uri)
    run_id = registry.champion_run(store, name) if store else None
    if store and run_id:
        parent = store.tags(run_id).get(PARENT)
        again = rerun_command(store.tags(parent) if parent else {}, name)
        return open_cell(store, run_id, again=again)
    if by_default:
        mend = f"bring it back: git checkout -- docs/results/{name}"
        return open_folder(published, f"the published {name}", mend=mend)
    raise Failure(
        f"{name} has no champion in {without_secrets(uri)}\nmake one: {rerun_command({}, name)}"
    )


def published_folder(name: str, results: Path = PUBLISHED) -> Path:
    """Where the files of a published champion lie."""
    return results / name / "champion"
