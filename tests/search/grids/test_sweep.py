"""Every sweep in the folder keeps the contract; `sweep.py` as a command, on stand-in data."""

from __future__ import annotations

import json
import shlex
import signal
from pathlib import Path

import pytest
import torch
from mlflow.tracking import MlflowClient

from search.grids.sweep import Point, load_sweep, sweep_names
from search.spaces import builders
from search.spaces.contract import NotedReads
from search.spaces.pipeline import load_pipeline, pipeline_names
from tests import commands
from tests.search.finals.conftest import written
from tests.stores import prepare

# The contract -----------------------------------------------------------------------------------


def read_by(point: Point) -> set[str]:
    """The parameters that building and optimising a point's method look at."""
    if point.kind == "pca":
        return {"latent_dim"}
    pipeline = load_pipeline(point.pipeline)
    params = NotedReads({**pipeline.defaults, **point.changes})
    with torch.device("meta"):
        pipeline.method(params)
    builders.optimisation(params)
    return params.read


@pytest.mark.parametrize("name", sweep_names())
@pytest.mark.parametrize("quick", [True, False])
def test_a_grid_names_pipelines_and_each_place_once(name: str, quick: bool) -> None:
    sweep = load_sweep(name)
    points = sweep.points(quick)
    assert points
    assert {point.pipeline for point in points} <= set(pipeline_names())
    places = [(point.line, point.x) for point in points]
    assert len(set(places)) == len(places)
    for point in points:
        assert set(point.changes) <= read_by(point), "a change that nothing reads changes nothing"


@pytest.mark.parametrize("name", sweep_names())
def test_a_quick_grid_is_a_smaller_one(name: str) -> None:
    sweep = load_sweep(name)
    assert len(sweep.points(True)) < len(sweep.points(False))
    assert sweep.quick.epochs and sweep.quick.train_size
    assert sweep.title and sweep.question.endswith("?") and sweep.x
    assert sweep.measured_images(True) <= sweep.measured_images(False)


# The command --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_batches_that_do_not_fit(tmp_path: Path) -> None:
    words = ("--sweep", "depth", "--quick", "--data", "mini", "--train-size", "60")
    done = commands.run("search/sweep.py", *words, folder=tmp_path, own_ray=True)
    assert done.status == 2
    assert "give a larger --train-size" in done.err
    assert not list((tmp_path / "mlruns").rglob("*")), "nothing was begun"


GIVEN = shlex.split(
    "--sweep decorrelation --quick --data mini --train-size 256 --epochs 1 --seeds 2"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("sweep"))


@pytest.fixture(scope="module")
def interrupted(folder: Path) -> commands.Ended:
    """A run that got Ctrl-C after its first training."""
    finals = folder / "mlruns" / "finals"
    how = {"until": lambda: list(finals.glob("[0-9a-f]*/model.json")), "send": signal.SIGINT}
    where = {"folder": folder, "own_group": True, "own_ray": True}
    return commands.run("search/sweep.py", *GIVEN, **where, **how)


@pytest.fixture(scope="module")
def first(folder: Path, interrupted: commands.Ended) -> commands.Ended:
    """The whole sweep, going on where the interrupted one had left it."""
    return commands.run("search/sweep.py", *GIVEN, "--json", "out.json", folder=folder)


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_trained_and_says_how_to_go_on(interrupted: commands.Ended) -> None:
    assert (interrupted.status, interrupted.err) == (130, "")
    last = interrupted.out.splitlines()[-1]
    assert last.startswith("interrupted; what is trained is kept. To go on: python search/sweep.py")
    assert last.endswith(" ".join(GIVEN))


@pytest.mark.slow
def test_it_shows_forecast_table_and_answer(first: commands.Ended) -> None:
    assert (first.status, first.err) == (0, "")
    for words in (
        "sweep_decorrelation-mini: Are the coordinates",
        "3 points x 2 seeds = 6 trainings, ",
        "of them trained before",
        "stand-in data, not a result",
        "forecast: about",
        "latents/correlation by latent size d (stand-in data, not a result)",
        "Mean absolute correlation between two coordinates: ",
        "the figure: python analysis/report.py",
    ):
        assert words in first.out, first.out


@pytest.mark.slow
def test_mlflow_holds_a_parent_and_a_run_a_cell(folder: Path, first: commands.Ended) -> None:
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("sweep_decorrelation-mini")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert {r.info.status for r in runs} == {"FINISHED"}
    [parent] = [r for r in runs if r.data.tags["kind"] == "sweep"]
    cells = [r for r in runs if r.data.tags["kind"] == "cell"]
    assert len(cells) == 6
    assert {r.data.tags["mlflow.parentRunId"] for r in cells} == {parent.info.run_id}
    assert {r.data.params["latent_dim"] for r in cells} == {"2", "10", "30"}
    for cell in cells:
        size = int(cell.data.params["latent_dim"])
        assert 0 <= cell.data.metrics["latents/correlation"] <= 1
        assert 1 <= cell.data.metrics["latents/effective_rank"] <= size + 1e-6
        assert {"test/mae", "valid/accuracy"} <= cell.data.metrics.keys()
    assert "Mean absolute correlation" in parent.data.tags["mlflow.note.content"]


@pytest.mark.slow
def test_the_test_set_is_read_once_a_training(folder: Path, first: commands.Ended) -> None:
    ledger = (folder / "mlruns" / "test_readings.jsonl").read_text().splitlines()
    lines = [json.loads(line) for line in ledger]
    assert len(lines) == len({line["cell"] for line in lines}) == 6
    assert all(line["purpose"].startswith("sweep_decorrelation-mini ") for line in lines)


@pytest.mark.slow
def test_the_numbers_are_those_of_the_cells(folder: Path, first: commands.Ended) -> None:
    outcome = json.loads((folder / "out.json").read_text())["decorrelation"]
    assert [row["x"] for row in outcome["rows"]] == [2, 10, 30]
    for row in outcome["rows"]:
        for number, cell in enumerate(row["cells"]):
            stored = json.loads((folder / "mlruns" / "finals" / cell / "test.json").read_text())
            assert row["metrics"]["test/mae"][number] == stored["mae"]
            matrix = row["measured"][number]["matrix"]
            assert len(matrix) == len(matrix[0]) == row["x"]


@pytest.mark.slow
def test_the_same_again_trains_and_reads_nothing(folder: Path, first: commands.Ended) -> None:
    before, ledger = written(folder), (folder / "mlruns" / "test_readings.jsonl").read_text()
    again = commands.run("search/sweep.py", *GIVEN, "--json", "again.json", folder=folder)
    assert (again.status, again.err) == (0, "")
    assert "6 of them trained before" in again.out
    assert "forecast" not in again.out
    assert written(folder) == before
    assert (folder / "mlruns" / "test_readings.jsonl").read_text() == ledger
    assert (folder / "again.json").read_text() == (folder / "out.json").read_text()
