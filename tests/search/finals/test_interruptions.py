"""A rerun that is killed and interrupted again and again ends as one that was left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from itertools import pairwise
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Reruns = Mapping[str, Future[Any]]
# In this order, in one folder; see MOMENTS in conftest.py.
IN_TRAINING = ("killed in training", "interrupted", "terminated")
BROKEN = (*IN_TRAINING, "killed in testing", "killed in recording")
# Two seeds of two candidates, defaults, ablation, random encoder, PCA and pixels, and three further
# learning rates of the ablation.
CELLS = 17
ACCURACIES = tuple(
    f"{images}/{measure}"
    for images in ("train", "valid", "test")
    for measure in ("accuracy", "linear_accuracy", "knn_accuracy")
)


def kept(left: Any) -> dict[str, int]:
    """The files of whole cells -> when they were written; not what a killed process left open."""
    return {
        name: written
        for name, written in left.files.items()
        if name.split("/")[0] in left.cells and not name.split("/")[1].startswith(".")
    }


@pytest.mark.parametrize("name", [name for name in BROKEN if name.startswith("killed")])
def test_it_was_killed_under_way(name: str, reruns: Reruns) -> None:
    """Else the following would show nothing."""
    done = reruns[name].result()
    assert (done.status, done.err) == (-9, "")
    left = done.left
    assert left.parent().info.status == "RUNNING"
    champions = left.children(left.parent(), champion="true")
    assert {
        "killed in training": (0 < len(left.cells) < 4, not champions),
        "killed in testing": (len(left.cells) == CELLS, not champions),
        "killed in recording": (len(left.cells) == CELLS, bool(champions)),
    }[name] == (True, True)


@pytest.mark.parametrize("name", ["interrupted", "terminated"])
def test_a_signal_ends_a_rerun_in_order(name: str, reruns: Reruns) -> None:
    """Ctrl-C while Ray trains, SIGTERM afterwards."""
    done = reruns[name].result()
    assert (done.status, done.err) == (130, "")
    last = done.out.splitlines()[-1]
    assert last.startswith("interrupted; what is trained is kept. To go on: ")
    command = (
        "python search/rerun.py --pipeline mnist_contrastive --top 2 --seeds 2 --concurrency 1"
    )
    assert last.endswith(command)
    assert done.left.parent().info.status == "KILLED"
    assert "RUNNING" not in {run.info.status for run in done.left.runs}


def test_nothing_is_tested_before_the_choice(reruns: Reruns) -> None:
    for name in IN_TRAINING:
        left = reruns[name].result().left
        assert left.readings == []
        assert not [file for file in left.files if "test" in file]


def test_what_is_trained_is_not_trained_again(reruns: Reruns) -> None:
    steps = [kept(reruns[name].result().left) for name in (*BROKEN, "finished")]
    for before, after in pairwise(steps):
        assert before.items() <= after.items()
    sizes = [len(files) for files in steps]
    assert sizes[:4] == sorted(set(sizes[:4])), "there is more after each"


def test_it_ends_as_if_it_had_been_left_alone(reruns: Reruns) -> None:
    done, whole = reruns["finished"].result(), reruns["first"].result()
    assert (done.status, done.out, done.err) == (0, "", ""), "--quiet prints nothing"
    assert {run.info.status for run in done.left.runs} == {"FINISHED"}
    assert numbers(done.left) == numbers(whole.left)
    assert done.left.points == whole.left.points, "no value stands there twice"
    assert done.left.cells == whole.left.cells
    [version] = done.left.client.search_model_versions("name = 'mnist_contrastive-mini'")
    [other] = whole.left.client.search_model_versions("name = 'mnist_contrastive-mini'")
    assert version.tags == other.tags


def numbers(left: Any) -> dict[tuple[str | None, ...], dict[str, float]]:
    """What is told of every run that does not hang on the clock."""
    names = ("kind", "row", "cell", "seed", "champion", "baseline", "rerun", "recorded")
    found = {
        tuple(run.data.tags.get(name) for name in names): {
            metric: value
            for metric, value in run.data.metrics.items()
            if metric.startswith(ACCURACIES) or metric.startswith("test/")
        }
        for run in left.runs
    }
    assert len(found) == len(left.runs)
    return found


def test_every_cell_is_tested_once(reruns: Reruns) -> None:
    """But for one whose line was written when the kill came, and its numbers were not."""
    done = reruns["finished"].result().left
    lines = Counter(line["cell"] for line in done.readings)
    for cell, count in unfinished(reruns["killed in testing"].result().left).items():
        lines[cell] -= count
    assert lines == dict.fromkeys(done.tested, 1)
    assert len(done.tested) == 12


def unfinished(left: Any) -> Counter[str]:
    """Readings whose numbers were not written."""
    return Counter(
        line["cell"] for line in left.readings if f"{line['cell']}/test.json" not in left.files
    )


def test_nothing_half_made_is_left(reruns: Reruns) -> None:
    left = reruns["finished"].result().left
    expected = {"model.json", "weights.safetensors", "metrics.json", "test.json", "test.npz"}
    assert {name.partition("/")[2] for name in left.files} == expected
    assert not (left.folder / "mlruns" / "ray" / "finals").exists()
