"""MLflow's model registry: a champion's model, and which version of it counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from search.tracking.database import quiet_mlflow
from search.tracking.store import Store

if TYPE_CHECKING:
    from torch import Tensor, nn

ALIAS = "champion"


def register(
    store: Store,
    name: str,
    *,
    run_id: str,
    artifact: str,
    tags: Mapping[str, str],
    description: str,
) -> str:
    """Make the model in the run's folder `artifact` the champion among the versions of `name`.

    A version with the same tags is used as it is. The function returns the version.
    """
    from mlflow.exceptions import MlflowException

    client = store.client
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    same = [
        version
        for version in client.search_model_versions(f"name = '{name}'")
        if tags.items() <= version.tags.items()
    ]
    version = (
        same[0].version
        if same
        else client.create_model_version(
            name,
            source=f"{client.get_run(run_id).info.artifact_uri}/{artifact}",
            run_id=run_id,
            tags=dict(tags),
            description=description,
        ).version
    )
    client.set_registered_model_alias(name, ALIAS, version)
    return str(version)


def champion_run(store: Store, name: str) -> str | None:
    """The run of the registered model's champion, None if there is none."""
    from mlflow.exceptions import MlflowException

    try:
        return str(store.client.get_model_version_by_alias(name, ALIAS).run_id)
    except MlflowException:
        return None


def save_model(model: nn.Module, folder: Path, *, example: Tensor, code: Path) -> None:
    """Write `model` so that `mlflow.pytorch.load_model` reads it even without this project.

    Args:
        folder: the target; created here.
        example: (B, C, H, W); its shape and the output's are the signature, for any B.
        code: the folder of the package with the model's classes, stored with the model.
    """
    import mlflow.pytorch
    import numpy as np
    import torch
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    with torch.no_grad():
        output = model(example)

    def schema(tensor: Tensor) -> Schema:
        return Schema([TensorSpec(np.dtype(np.float32), (-1, *tensor.shape[1:]))])

    with quiet_mlflow():
        mlflow.pytorch.save_model(
            model,
            str(folder),
            code_paths=[str(code)],
            signature=ModelSignature(inputs=schema(example), outputs=schema(output)),
            pip_requirements=[f"torch=={torch.__version__.partition('+')[0]}", "numpy"],
            serialization_format="pickle",
        )
