"""Cells: an id that follows from all that matters; a store that keeps one whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from search.cells import cell as cells, store
from search.cells.cell import Cell
from search.cells.plan import CellPlan
from search.cells.store import CellStore
from search.cluster.resources import Resources
from search.files import durable
from search.spaces.pipeline import load_pipeline
from search.trials import checkpoint
from tests import commands
from tests.damage import flip
from tests.made_cell import made_cell
from tests.search.ready import few

CELL = made_cell(device="cpu", precision="float32")
OTHERWISE: Mapping[str, object] = {
    "kind": "ablation",
    "dataset": "cifar",
    "data": "0123456789abcdee",
    "train_size": 121,
    "seed": 8,
    "pipeline": "mnist_contrastive",
    "params": {"width": 16, "lr": 1.0001e-3, "block": "strided"},
    "epochs": 4,
    "device": "cuda",
    "precision": "bfloat16",
    "images": {"name": "flowers"},
    "source": "from search.pipelines.mnist_supervised import PIPELINE",
}
WEIGHTS = {"method.weight": torch.arange(6.0).reshape(2, 3), "classifier.bias": torch.zeros(2)}
CURVES = [
    {"epoch": 1, "valid/accuracy": 0.5, "timestamp": 1000.0},
    {"epoch": 2, "valid/accuracy": 0.75, "timestamp": 2000.0},
]
FACTS = {"precision": "float32", "device": "cpu"}


@pytest.fixture
def cell_store(tmp_path: Path) -> CellStore:
    return CellStore(tmp_path / "mlruns" / "finals")


def keep(
    cell_store: CellStore, cell: Cell = CELL, weights: Path | Mapping[str, Tensor] = WEIGHTS
) -> store.TrainedCell:
    return cell_store.keep(cell, weights=weights, curves=CURVES, facts=FACTS)


# Ids -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_id_is_twelve_hex_digits_and_the_same_in_another_process() -> None:
    code = (
        "import json, sys\n"
        "from search.cells.cell import Cell\n"
        "print(Cell(**json.loads(sys.argv[1])).id)\n"
    )
    done = commands.cold(code, json.dumps(CELL.to_json()))
    assert done.out == f"{CELL.id}\n", done.err
    assert len(CELL.id) == 12 and set(CELL.id) <= set("0123456789abcdef")


@pytest.mark.parametrize("field", [field.name for field in fields(Cell)])
def test_every_field_is_part_of_the_id(field: str) -> None:
    own = "# the same\n" + str(OTHERWISE["source"])
    one = replace(CELL, pipeline="own", source=own) if field == "source" else CELL
    other = replace(one, **{field: OTHERWISE[field]})  # type: ignore[arg-type]
    assert other.id != one.id
    assert other != one


def test_the_order_of_the_parameters_is_not_part_of_the_id() -> None:
    turned = replace(CELL, params=dict(reversed(CELL.params.items())))
    assert list(turned.params) != list(CELL.params)
    assert turned.id == CELL.id
    assert {turned, CELL} == {CELL}


def test_the_code_is_part_of_the_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "code_fingerprint", lambda: "another")
    assert replace(CELL).id != CELL.id


@pytest.mark.parametrize("kind", ["trained", "ablation"])
def test_what_a_pipeline_builds_with_is_part_of_the_id(
    kind: cells.Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = replace(CELL, pipeline="mnist_contrastive", kind=kind)
    pipeline = load_pipeline("mnist_contrastive")
    assert pipeline.ablation
    turned = replace(pipeline, build=pipeline.ablation, ablation=pipeline.build)
    ids = []
    for loaded in (pipeline, turned):
        monkeypatch.setattr(cells, "pipeline_of", lambda record, loaded=loaded: loaded)
        ids.append(replace(cell).id)
    assert ids[0] != ids[1]


def test_a_row_is_of_one_device_and_one_number_format() -> None:
    def ids(kind: str, resources: Resources) -> list[str]:
        plan: Any = SimpleNamespace(resources=resources, seeds=(11, 12))
        params = {"width": 16, "depth": 3}
        row: Any = CellPlan.row
        return [cell.id for cell in row(plan, few("mnist"), kind, "mnist_supcon", params, 1)]

    for elsewhere in (Resources(precision="bfloat16"), Resources(device="cuda")):
        for kind in ("trained", "ablation"):
            assert len({*ids(kind, Resources()), *ids(kind, elsewhere)}) == 4
        assert ids("random_encoder", Resources()) == ids("random_encoder", elsewhere)


# The store -------------------------------------------------------------------------------------


def test_what_was_kept_is_read_back(cell_store: CellStore) -> None:
    made = keep(cell_store)
    found = cell_store.find(CELL)
    assert found == made and found is not None
    assert found.folder == cell_store.folder / CELL.id
    assert found.curves == CURVES
    assert found.metrics == CURVES[-1]
    assert {name: value for name, value in found.model.items() if name != "hashes"} == {
        **CELL.to_json(),
        **FACTS,
        "cell": CELL.id,
        "code": cells.code_fingerprint(),
    }
    weights = load_file(found.folder / checkpoint.WEIGHTS)
    assert weights.keys() == WEIGHTS.keys()
    assert all(torch.equal(weights[name], WEIGHTS[name]) for name in WEIGHTS)


@pytest.mark.parametrize(
    ("spent", "began"),
    [
        ({"time/epoch_seconds": 4.0, "time/evaluation_seconds": 0.5}, 95_500),
        ({"time/epoch_seconds": 4.0}, 96_000),
        ({"time/evaluation_seconds": 0.5}, 99_500),
        ({}, 100_000),
    ],
)
def test_a_cell_knows_when_its_training_began_and_ended(
    cell_store: CellStore, spent: dict[str, float], began: int
) -> None:
    curves = [{"epoch": 1.0, "timestamp": 1e5, **spent}, {"epoch": 2.0, "timestamp": 1.5e5}]
    kept = cell_store.keep(CELL, weights=WEIGHTS, curves=curves, facts=FACTS)
    assert (kept.began, kept.ended) == (began, 150_000)


@pytest.mark.parametrize("name", [cells.MODEL, checkpoint.WEIGHTS, cells.METRICS])
@pytest.mark.parametrize("damage", [Path.unlink, flip])
def test_a_damaged_cell_counts_as_missing_and_its_file_is_named(
    cell_store: CellStore, name: str, damage: Callable[[Path], None]
) -> None:
    told: list[str] = []
    cell_store = CellStore(cell_store.folder, say=told.append)
    kept = keep(cell_store)
    file = kept.folder / name
    np.savez(kept.folder / cells.TEST_OUTPUTS, labels=np.array([1]))
    (kept.folder / cells.TEST_METRICS).write_text('{"accuracy": 0.5}')
    assert kept.tested
    assert cell_store.missing([CELL]) == [] == told
    damage(file)
    assert cell_store.missing([CELL]) == [CELL]
    assert cell_store.find(CELL) is None
    assert told == [f"{file} is missing or damaged; its cell is made again"]
    assert not keep(cell_store).tested, "numbers of weights that are gone"
    assert cell_store.missing([CELL]) == []


def test_a_cell_from_before_hashes_were_kept(cell_store: CellStore) -> None:
    """It is what it was, unless other weights were tested."""
    kept = keep(cell_store)
    model = {name: value for name, value in kept.model.items() if name != "hashes"}
    (kept.folder / cells.MODEL).write_text(json.dumps(model))
    assert cell_store.find(CELL) == kept
    np.savez(kept.folder / cells.TEST_OUTPUTS, labels=np.array([1]))
    test = {"accuracy": 0.5, "reading": {"weights": kept.weights_hash()}}
    (kept.folder / cells.TEST_METRICS).write_text(json.dumps(test))
    assert cell_store.find(CELL) == kept and kept.tested
    flip(kept.folder / checkpoint.WEIGHTS)
    assert cell_store.find(CELL) is None


def test_what_is_missing_is_named_once_and_in_order(cell_store: CellStore) -> None:
    one, two, three = (replace(CELL, seed=seed) for seed in (3, 1, 2))
    asked = [one, two, replace(one), three, two]
    assert cell_store.missing(asked) == [one, two, three]
    assert not cell_store.folder.exists(), "looking makes nothing"
    keep(cell_store, two)
    assert cell_store.missing(asked) == [one, three]
    keep(cell_store, one)
    keep(cell_store, three)
    assert cell_store.missing(asked) == []


class Killed(BaseException):
    """What ends a process in the middle."""


@pytest.mark.parametrize("stage", ["weights", "model", "metrics", "rename"])
def test_a_cell_is_kept_whole_or_not_at_all(
    stage: str, cell_store: CellStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at each of its stages, the folder in the making is left behind, then swept."""
    neighbour = replace(CELL, seed=1)
    keep(cell_store, neighbour)
    write_whole = durable.write

    def die(*_: object, **__: object) -> None:
        raise Killed

    def write(path: Path, content: bytes | str) -> Path:
        if path.stem == stage:
            path.with_suffix(".part").write_text("half")
            raise Killed
        return write_whole(path, content)

    with monkeypatch.context() as patched:
        if stage == "rename":
            patched.setattr(Path, "rename", die)
        else:
            patched.setattr(durable, "write", write)
        with pytest.raises(Killed):
            keep(cell_store)
    assert cell_store.find(CELL) is None
    [stale] = [path for path in cell_store.folder.iterdir() if path.name != neighbour.id]
    other_process = stale.rename(cell_store.folder / f".{CELL.id}.1")

    kept = keep(cell_store)
    assert cell_store.find(CELL) == kept and kept.curves == CURVES
    assert not other_process.exists()
    assert {path.name for path in cell_store.folder.iterdir()} == {CELL.id, neighbour.id}
