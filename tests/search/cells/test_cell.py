"""Cells: an id that follows from all that matters; a shelf that keeps one whole or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from search.finals import cells
from search.finals.candidates import Candidate
from search.finals.cells import Cell, Shelf
from search.finals.plan import FinalPlan
from search.pipeline import Pipeline, load_pipeline
from search.resources import Resources
from trainers.data import TrainingData

ROOT = Path(__file__).resolve().parents[3]
CELL = Cell(
    kind="trained",
    dataset="mnist",
    data="0123456789abcdef",
    train_size=120,
    seed=7,
    pipeline="mnist_supcon",
    params={"width": 16, "lr": 1e-3, "block": "strided"},
    epochs=3,
)
OTHERWISE: Mapping[str, object] = {
    "kind": "ablation",
    "dataset": "cifar",
    "data": "0123456789abcdee",
    "train_size": 121,
    "seed": 8,
    "pipeline": "mnist_contrastive",
    "params": {"width": 16, "lr": 1.0001e-3, "block": "strided"},
    "epochs": 4,
}
WEIGHTS = {"method.weight": torch.arange(6.0).reshape(2, 3), "classifier.bias": torch.zeros(2)}
CURVES = [
    {"epoch": 1, "valid/accuracy": 0.5, "timestamp": 1000.0},
    {"epoch": 2, "valid/accuracy": 0.75, "timestamp": 2000.0},
]
FACTS = {"precision": "float32", "device": "cpu"}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "mlruns" / "finals")


def keep(
    shelf: Shelf, cell: Cell = CELL, weights: Path | Mapping[str, Tensor] = WEIGHTS
) -> cells.Kept:
    return shelf.keep(cell, weights=weights, curves=CURVES, facts=FACTS)


# Ids -----------------------------------------------------------------------------------------


def test_the_id_is_twelve_hex_digits_and_the_same_in_another_process() -> None:
    code = (
        "import json, sys\n"
        "from search.finals.cells import Cell\n"
        "print(Cell(**json.loads(sys.argv[1])).id)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(CELL.to_json())],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{CELL.id}\n"
    assert len(CELL.id) == 12 and set(CELL.id) <= set("0123456789abcdef")


@pytest.mark.parametrize("field", [field.name for field in fields(Cell)])
def test_every_field_is_part_of_the_id(field: str) -> None:
    other = replace(CELL, **{field: OTHERWISE[field]})  # type: ignore[arg-type]
    assert other.id != CELL.id
    assert other != CELL


def test_the_order_of_the_parameters_is_not_part_of_the_id() -> None:
    turned = replace(CELL, params=dict(reversed(CELL.params.items())))
    assert list(turned.params) != list(CELL.params)
    assert turned.id == CELL.id
    assert {turned, CELL} == {CELL}


def test_the_code_is_part_of_the_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "code_fingerprint", lambda: "another")
    assert replace(CELL).id != CELL.id


def test_a_cell_survives_json() -> None:
    again = Cell(**json.loads(json.dumps(CELL.to_json())))
    assert again == CELL and again.id == CELL.id


@pytest.mark.parametrize("kind", ["trained", "ablation"])
def test_what_a_pipeline_builds_with_is_part_of_the_id(
    kind: cells.Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = replace(CELL, pipeline="mnist_contrastive", kind=kind)
    pipeline = load_pipeline("mnist_contrastive")
    assert pipeline.ablation
    turned = replace(pipeline, build=pipeline.ablation, ablation=pipeline.build)
    monkeypatch.setattr(cells, "load_pipeline", lambda name: turned)
    assert replace(cell).id != cell_id_of(cell, pipeline, monkeypatch)


def cell_id_of(cell: Cell, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(cells, "load_pipeline", lambda name: pipeline)
    return replace(cell).id


@pytest.fixture
def plan_of(few: Callable[[str], TrainingData], tmp_path: Path) -> Callable[[str], FinalPlan]:
    """(pipeline) -> a rerun of its defaults with two seeds."""

    def settled(name: str) -> FinalPlan:
        pipeline = load_pipeline(name)
        return FinalPlan(
            name=name,
            pipeline=pipeline,
            candidates=(
                Candidate(params=pipeline.defaults, epochs=1, promised=None, source="defaults"),
            ),
            budgets=(1,),
            seeds=(11, 12),
            data=few(pipeline.dataset),
            data_dir=None,
            resources=Resources(
                device="cpu", concurrency=1, cpus_per_trial=1, gpus_per_trial=0, precision="float32"
            ),
            address=None,
            settings=(),
            without=(),
            home=tmp_path,
            tracking_uri="",
            quiet=True,
            notices=(),
        )

    return settled


def test_pipelines_share_the_cells_in_which_they_do_not_matter(
    plan_of: Callable[[str], FinalPlan],
) -> None:
    one, other = plan_of("mnist_supcon"), plan_of("mnist_autoencoder")
    for kind in ("pca", "pixels"):
        assert one.cells(kind) == other.cells(kind)
        assert [c.id for c in one.cells(kind)] == [c.id for c in other.cells(kind)]
    same_params = {"width": 16, "depth": 3}
    for kind in ("trained", "random_encoder"):
        ids = {c.id for plan in (one, other) for c in plan.cells(kind, same_params)}
        assert len(ids) == 4
    assert one.cells("pca") != plan_of("cifar_supcon").cells("pca")
    assert [c.seed for c in one.cells("pca")] == [11, 12]


# The code behind a number --------------------------------------------------------------------


FILES = {
    "nets/layer.py": '"""A module."""\n\nSIZE = 3  # wide\n\n\ndef twice(x):\n'
    '    """Double it."""\n    return 2 * x\n',
    "nets/deep/loss.py": "class Loss:\n    '''Words.'''\n\n    name = 'l1'\n",
    "recipe.py": "from nets.layer import twice\n\nprint(twice(4))\n",
    "unrelated.py": "x = 1\n",
    "nets/notes.txt": "x = 1\n",
}


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`code(file=(old, new))`: the fingerprint of the small tree with that text replaced."""
    monkeypatch.setattr(cells, "ROOT", tmp_path)
    monkeypatch.setattr(cells, "CODE", ("nets", "recipe.py"))
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def fingerprint(name: str = "recipe.py", old: str = "", new: str = "") -> str:
        text = FILES[name]
        assert old in text
        (tmp_path / name).write_text(text.replace(old, new, 1) if old else text + new)
        found: str = cells.code_fingerprint.__wrapped__()
        (tmp_path / name).write_text(text)
        return found

    return fingerprint


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("nets/layer.py", "# wide", "# the widest of all"),
        ("nets/layer.py", "  # wide", ""),
        ("nets/layer.py", "A module.", "Another text\n\nwith a second paragraph."),
        ("nets/layer.py", "Double it.", "Return two times x."),
        ("nets/deep/loss.py", "'''Words.'''", '"""More words."""'),
        ("nets/deep/loss.py", "    '''Words.'''\n\n", ""),
        ("nets/layer.py", "SIZE = 3", '"""New words."""\nSIZE = 3'),
        ("nets/layer.py", "2 * x", "(2  *  x)"),
        ("recipe.py", "\n\n", "\n\n\n\n"),
        ("unrelated.py", "x = 1", "x = 2"),
        ("nets/notes.txt", "x = 1", "x = 2"),
    ],
)
def test_prose_and_other_files_do_not_change_the_fingerprint(
    code: Callable[..., str], name: str, old: str, new: str
) -> None:
    assert code(name, old, new) == code()
    assert len(code()) == 16


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("nets/layer.py", "SIZE = 3", "SIZE = 4"),
        ("nets/layer.py", "2 * x", "x * 2"),
        ("nets/layer.py", "twice(x)", "twice(y)"),
        ("nets/deep/loss.py", "'l1'", "'l2'"),
        ("recipe.py", "twice(4)", "twice(5)"),
        ("recipe.py", "", "print(1)\n"),
    ],
)
def test_code_changes_the_fingerprint(
    code: Callable[..., str], name: str, old: str, new: str
) -> None:
    assert code(name, old, new) != code()


def test_a_new_file_and_a_files_name_change_the_fingerprint(
    code: Callable[..., str], tmp_path: Path
) -> None:
    before = code()
    (tmp_path / "nets" / "more.py").write_text("")
    with_more = code()
    (tmp_path / "nets" / "more.py").rename(tmp_path / "nets" / "most.py")
    assert len({before, with_more, code()}) == 3


def test_all_code_that_is_named_is_there() -> None:
    assert all((ROOT / entry).exists() for entry in cells.CODE)
    assert all(any((ROOT / entry).rglob("*.py")) for entry in cells.CODE if "." not in entry)


# The shelf -----------------------------------------------------------------------------------


def test_what_was_kept_is_read_back(shelf: Shelf) -> None:
    made = keep(shelf)
    found = shelf.find(CELL)
    assert found == made and found is not None
    assert found.folder == shelf.folder / CELL.id
    assert found.curves == CURVES
    assert found.metrics == CURVES[-1]
    assert found.model == {
        **CELL.to_json(),
        **FACTS,
        "cell": CELL.id,
        "code": cells.code_fingerprint(),
    }
    weights = found.weights()
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
    shelf: Shelf, spent: dict[str, float], began: int
) -> None:
    curves = [{"epoch": 1.0, "timestamp": 1e5, **spent}, {"epoch": 2.0, "timestamp": 1.5e5}]
    kept = shelf.keep(CELL, weights=WEIGHTS, curves=curves, facts=FACTS)
    assert (kept.began, kept.ended) == (began, 150_000)


def test_the_hash_tells_weights_apart(shelf: Shelf) -> None:
    others = [replace(CELL, seed=seed) for seed in (1, 2)]
    changed = {**WEIGHTS, "classifier.bias": torch.tensor([0.0, 1e-7])}
    first, same, other = (
        keep(shelf, cell, weights).weights_hash()
        for cell, weights in ((CELL, WEIGHTS), (others[0], WEIGHTS), (others[1], changed))
    )
    assert first == same != other
    assert len(first) == 16


def test_what_the_test_set_said_is_read_back(shelf: Shelf) -> None:
    kept = keep(shelf)
    assert not kept.tested
    np.savez_compressed(
        kept.folder / cells.TEST_OUTPUTS, predictions=np.array([1, 2]), labels=np.array([1, 3])
    )
    assert not kept.tested, "the numbers are written last"
    (kept.folder / cells.TEST_METRICS).write_text('{"accuracy": 0.5}')
    assert kept.tested
    assert kept.test == {"accuracy": 0.5}
    outputs = kept.test_outputs()
    assert {name: values.tolist() for name, values in outputs.items()} == {
        "predictions": [1, 2],
        "labels": [1, 3],
    }


def test_a_weights_file_is_moved_onto_the_shelf(shelf: Shelf, tmp_path: Path) -> None:
    file = keep(shelf, replace(CELL, seed=1)).folder / cells.WEIGHTS
    elsewhere = tmp_path / "abc.safetensors"
    elsewhere.write_bytes(file.read_bytes())
    kept = keep(shelf, weights=elsewhere)
    assert not elsewhere.exists()
    assert (kept.folder / cells.WEIGHTS).read_bytes() == file.read_bytes()


def test_an_empty_shelf_has_nothing(shelf: Shelf) -> None:
    assert shelf.find(CELL) is None
    assert not shelf.folder.exists()


@pytest.mark.parametrize("name", [cells.MODEL, cells.WEIGHTS, cells.METRICS])
def test_a_folder_that_lacks_a_file_is_no_cell_and_is_made_anew(shelf: Shelf, name: str) -> None:
    kept = keep(shelf)
    (kept.folder / cells.TEST_METRICS).write_text('{"accuracy": 0.5}')
    (kept.folder / name).unlink()
    assert shelf.find(CELL) is None
    assert shelf.missing([CELL]) == [CELL]
    assert not keep(shelf).tested, "numbers of weights that are gone"
    assert shelf.find(CELL) is not None


def test_what_is_missing_is_named_once_and_in_order(shelf: Shelf) -> None:
    one, two, three = (replace(CELL, seed=seed) for seed in (3, 1, 2))
    asked = [one, two, replace(one), three, two]
    assert shelf.missing(asked) == [one, two, three]
    keep(shelf, two)
    assert shelf.missing(asked) == [one, three]
    keep(shelf, one)
    keep(shelf, three)
    assert shelf.missing(asked) == []


class Killed(BaseException):
    """What ends a process in the middle."""


@pytest.mark.parametrize("stage", ["weights", "model", "metrics", "rename"])
def test_a_cell_is_kept_whole_or_not_at_all(
    stage: str, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at each of its stages, the folder in the making is left behind, then swept."""
    neighbour = replace(CELL, seed=1)
    keep(shelf, neighbour)
    written = iter(["model", "metrics"])
    write_text = Path.write_text

    def die(*_: object, **__: object) -> None:
        raise Killed

    def write(self: Path, text: str) -> int:
        if next(written) == stage:
            write_text(self, text[: len(text) // 2])
            raise Killed
        return write_text(self, text)

    with monkeypatch.context() as patched:
        if stage == "weights":
            patched.setattr(cells, "save_file", die)
        elif stage == "rename":
            patched.setattr(Path, "rename", die)
        else:
            patched.setattr(Path, "write_text", write)
        with pytest.raises(Killed):
            keep(shelf)
    assert shelf.find(CELL) is None
    [stale] = [path for path in shelf.folder.iterdir() if path.name != neighbour.id]
    other_process = stale.rename(shelf.folder / f".{CELL.id}.1")

    kept = keep(shelf)
    assert shelf.find(CELL) == kept and kept.curves == CURVES
    assert not other_process.exists()
    assert {path.name for path in shelf.folder.iterdir()} == {CELL.id, neighbour.id}
