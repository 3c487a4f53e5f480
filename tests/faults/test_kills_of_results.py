"""Random kills of rerun, sweep, report and publish: what was there stays, and all ends whole.

`pytest -m faults tests/faults/test_kills_of_results.py` kills each ten times. What it leaves is
compared with what the same commands leave where nobody disturbs them.
"""

from __future__ import annotations

import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from search.cells.cell import damaged_test, damaged_training
from search.cells.heldout import LEDGER, readings
from search.files import locations
from tests import commands
from tests.faults.searches import kill

KILLS = 10
MINI = ("--data", "mini")
POINTS = ("--points", "60")
SMALL = ("--train-size", "256", "--epochs", "1", "--seeds", "2")
COMMANDS = {  # command -> its words, and seconds in which it starts and works
    "rerun": (("search/rerun.py", "--pipeline", "mnist_supervised", *MINI, "--seeds", "2"), 9.0),
    "sweep": (("search/sweep.py", "--sweep", "decorrelation", "--quick", *MINI, *SMALL), 9.0),
    "report": (("analysis/report.py", *MINI, "--out", "report", "--formats", "csv", *POINTS), 4.0),
    "publish": (("analysis/publish.py", *MINI, "--out", "out", *POINTS), 4.0),
}
# Without bfloat16 instructions float32 is the faster one, by whatever clock.
ENVIRONMENT = commands.plain_environment() | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
MEASURED = ("train/accuracy", "valid/accuracy", "test/accuracy")

pytestmark = [pytest.mark.slow, pytest.mark.faults]


def finish(folder: Path, name: str) -> None:
    words, _ = COMMANDS[name]
    done = commands.run(*words, "--quiet", folder=folder, environment=ENVIRONMENT, timeout=300)
    assert (done.status, done.err) == (0, ""), done.out


def torment(folder: Path, name: str) -> Counter[str]:
    """Kill it so often, some seconds into it, and hold each time that nothing whole was lost.

    A command that ends before its moment has its time halved.
    """
    (script, *words), longest = COMMANDS[name]
    choose = random.Random(name)
    met: Counter[str] = Counter()
    before = whole_cells(folder)
    while met.total() < KILLS:
        where = {"folder": folder, "environment": ENVIRONMENT}
        process = commands.start(script, *words, **where, own_group=True, own_ray=True)
        moment = time.monotonic() + choose.uniform(0.0, longest)
        while time.monotonic() < moment and process.poll() is None:
            time.sleep(0.02)
        if process.poll() is None:
            met[kill(process, choose.choice(["driver", "group"]), choose)] += 1
        else:
            assert process.returncode == 0, process.communicate()
            process.communicate()
            longest /= 2
        after = whole_cells(folder)
        assert before.items() <= after.items(), "a cell was lost or made again"
        before = after
    return met


def whole_cells(folder: Path) -> dict[str, int]:
    """Cell -> when its training was kept, of all that are there; each of them is whole."""
    found = {}
    for model in (folder / "mlruns" / "finals").glob("[0-9a-f]*/model.json"):
        assert damaged_training(model.parent) is None
        if (model.parent / "test.json").exists():
            assert damaged_test(model.parent) is None
        found[model.parent.name] = model.stat().st_mtime_ns
    return found


def numbers(folder: Path) -> dict[Any, list[float]]:
    """(kind, row, cell) -> what was measured, of every cell's run in MLflow; each is there once."""
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}")
    found = {}
    for experiment in client.search_experiments():
        for run in client.search_runs([experiment.experiment_id], max_results=1000):
            assert run.info.status == "FINISHED", run.data.tags
            tags, metrics = run.data.tags, run.data.metrics
            if "cell" not in tags:
                continue
            key = (experiment.name, tags["kind"], tags["row"], tags["cell"])
            assert key not in found, "twice"
            found[key] = [metrics[name] for name in MEASURED if name in metrics]
    return found


def published(folder: Path) -> list[str]:
    """The files of report and publication; what is random in their names, a run's id, left out."""
    return [
        re.sub(r"-[0-9a-f]{12}\b", "", str(file.relative_to(folder)))
        for name in ("report", "out")
        for file in sorted((folder / name).rglob("*"))
        if file.is_file()
    ]


@pytest.fixture(scope="module")
def searched(make_search: Callable[..., Any]) -> Path:
    """A folder with a small search."""
    search = make_search(trials=2, epochs=2)
    search.own_ray = False
    process = search.start("--quiet")
    assert process.wait(300) == 0, process.communicate()
    return Path(search.folder)


def copied(searched: Path, to: Path) -> Path:
    """The folder again, in another place."""
    shutil.copytree(searched, to)
    marks = "<!-- results: {} -->\n<!-- results end -->\n"
    (to / "out").mkdir()
    (to / "out" / "README.md").write_text("".join(map(marks.format, ("headline", "searches"))))
    locations.correct(to / "mlruns" / "mlflow.db")
    return to


def test_nothing_is_lost(
    searched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, calm = copied(searched, tmp_path / "broken"), copied(searched, tmp_path / "calm")
    for name in COMMANDS:
        met = torment(broken, name)
        finish(broken, name)
        finish(calm, name)
        with capsys.disabled():
            print(f"\n{name}: {met.total()} kills {dict(met)}, nothing lost", flush=True)
        assert not list(broken.glob("mlruns/champions/.*")), "a part of a file"
    assert numbers(broken) == numbers(calm)
    assert whole_cells(broken).keys() == whole_cells(calm).keys()
    read: Counter[str] = Counter()
    for line in readings(broken / "mlruns" / LEDGER):
        read[line["weights"]] += 1
        assert line["reading"] == read[line["weights"]], "an honest count"
    assert set(read) == {line["weights"] for line in readings(calm / "mlruns" / LEDGER)}
    assert published(broken) == published(calm)
    doctor = commands.run("search/doctor.py", folder=broken, timeout=120)
    assert (doctor.status, doctor.out) == (0, "all is well\n"), doctor.out
