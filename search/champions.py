"""The champions: `champions.load("cifar_contrastive")` gives the trained network.

Rebuilt from safetensors and a small JSON, so that nothing is unpickled.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from models import LatentModel
from search import tracking, tracking_address
from search.errors import FAILED, UserError
from search.home import HOME
from search.rebuild import rebuild

ALIAS = "champion"


def load(name: str, *, tracking_uri: str | None = None) -> LatentModel:
    """The champion of a pipeline (`<pipeline>-mini` for stand-in data), on the CPU, in eval mode.

    (B, C, H, W) float in [0, 1] -> (B, K) logits; its parts are `encoder`, `classifier` and, for
    autoencoders, `decoder`.

    Args:
        tracking_uri: MLflow's store; by default `$MLFLOW_TRACKING_URI`, else `mlruns/mlflow.db`
            below the current folder.

    Raises:
        UserError: there is no such store or champion, or its weights are gone.
    """
    store = tracking.open_existing(tracking_address.resolve_uri(tracking_uri, HOME.absolute()))
    run_id = store.aliased_run(name, ALIAS)
    if run_id is None:
        raise UserError(
            f"{name} has no champion in {store.shown}\n"
            f"make one: python search/rerun.py --pipeline {name.removesuffix('-mini')}",
            status=FAILED,
        )
    with tempfile.TemporaryDirectory() as folder:
        try:
            model = store.download(run_id, "model.json", Path(folder))
            weights = store.download(run_id, "weights.safetensors", Path(folder))
            if model is None or weights is None:
                raise FileNotFoundError("model.json or weights.safetensors")
            return rebuild(json.loads(model.read_text()), load_file(weights))
        except (OSError, ValueError, KeyError, SafetensorError, RuntimeError) as error:
            raise UserError(
                f"the weights of {name}'s champion are gone or damaged (run {run_id}: {error})\n"
                f"make them again: python search/rerun.py --pipeline {name.removesuffix('-mini')}",
                status=FAILED,
            ) from None
