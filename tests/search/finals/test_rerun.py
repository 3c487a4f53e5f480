"""A whole rerun with real Ray, what it leaves in MLflow and on the disk, and the same again."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from mlflow.entities import Run

from search.cells.statistics import accuracy, estimate

pytestmark = pytest.mark.slow

Reruns = Mapping[str, Future[Any]]
# (kind, champion, baseline) of every run below the rerun's, two seeds each.
CHILDREN = {
    ("final", "true", None): 2,
    ("final", "false", None): 2,
    ("ablation", None, None): 2,
    ("baseline", None, "defaults"): 2,
    ("baseline", None, "random_encoder"): 2,
    ("baseline", None, "pca"): 2,
    ("baseline", None, "raw_pixels"): 2,
}
VALID, TEST = "valid/accuracy", "test/accuracy"


@pytest.fixture(scope="module")
def first(reruns: Reruns) -> Any:
    """The pipeline's first rerun: three trials, of which the best two are trained again."""
    return reruns["first"].result()


def test_a_rerun_ends_well_and_shows_its_table(first: Any) -> None:
    assert (first.status, first.err) == (0, "")
    for words in (
        "mnist_contrastive-mini: final numbers",
        "2 configurations x 2 fresh seeds, 1 epoch",
        "stand-in data, not a result",
        "the search promised 0.8000",
        "models:/mnist_contrastive-mini@champion",
        "mlruns/champions/mnist_contrastive-mini.json",
        "mlflow ui --backend-store-uri sqlite:///",
    ):
        assert words in first.out
    rows = ("champion", "config 1", "ablation", "defaults", "random encoder", "PCA", "raw pixels")
    for row in rows:
        assert f"\n{row} " in first.out
    for chatter in ("Warning", "ray.tune", "INFO", "/tmp/ray", "Trial status", "Traceback"):
        assert chatter not in first.out


def test_every_training_has_a_run_and_none_is_left_open(first: Any) -> None:
    left = first.left
    children = left.children(left.parent())
    assert {run.info.status for run in left.runs} == {"FINISHED"}
    assert len(left.runs) == len(children) + 1
    tags = [run.data.tags for run in children]
    assert Counter((t["kind"], t.get("champion"), t.get("baseline")) for t in tags) == CHILDREN
    assert len({(t["kind"], t["row"], t["seed"]) for t in tags}) == len(tags)
    for run in children:
        assert run.data.params["train_size"] == "1294"
        assert run.data.params["seed"] == run.data.tags["seed"]
        assert {VALID, "train/accuracy"} <= run.data.metrics.keys()


def test_only_what_is_compared_is_tested(first: Any) -> None:
    left = first.left
    for run in left.children(left.parent()):
        found = [name for name in run.data.metrics if name.startswith("test/")]
        assert bool(found) == (run.data.tags.get("champion") != "false"), run.data.tags
        there = {path.name for path in left.artifact(run, "").iterdir() if path.is_file()}
        expected = {"model.json", "weights.safetensors"}
        assert there == expected | ({"test.json", "test.npz"} if found else set())
        if found:
            right, _ = left.right(run)
            assert len(right) == 359
            assert run.data.metrics[TEST] == pytest.approx(right.mean(), abs=1e-12)


def test_the_champion_is_the_best_on_validation_images(first: Any) -> None:
    """Which is not the one that the search had promised most of."""
    left = first.left
    finals = left.children(left.parent(), kind="final")
    means = {
        row: statistics.fmean(r.data.metrics[VALID] for r in finals if r.data.tags["row"] == row)
        for row in ("config 1", "config 2")
    }
    [champion] = {r.data.tags["row"] for r in finals if r.data.tags["champion"] == "true"}
    assert champion == max(means, key=lambda row: means[row]) == "config 2"
    widths = {r.data.tags["row"]: r.data.params["width"] for r in finals}
    assert widths == {"config 1": "1", "config 2": "4"}
    results = left.results(left.parent())
    assert results["rows"][0]["name"] == "config 2"
    assert results["source"] == "trial 1 of first"


def test_the_rerun_itself_has_the_champions_means(first: Any) -> None:
    left = first.left
    parent = left.parent()
    metrics = parent.data.metrics
    chosen = left.children(parent, champion="true")
    (first_hits, labels), (second_hits, _) = (left.right(run) for run in chosen)
    hits = np.stack([first_hits, second_hits])
    validated = estimate([run.data.metrics[VALID] for run in chosen])
    for name, found in ((VALID, validated), (TEST, accuracy(hits))):
        assert metrics[name] == pytest.approx(found.mean)
        assert metrics[f"{name}_low"] == pytest.approx(found.low)
        assert metrics[f"{name}_high"] == pytest.approx(found.high)
    assert metrics["optimism/accuracy"] == pytest.approx(0.8 - metrics[VALID])
    for digit in range(10):
        assert metrics[f"test/class/{digit}"] == pytest.approx(hits[:, labels == digit].mean())
    assert parent.data.tags["model"] == "models:/mnist_contrastive-mini@champion"
    assert parent.data.tags["champion_source"] == "trial 1 of first"
    best = json.loads(left.artifact(parent, "best.json").read_text())
    assert (best["pipeline"], best["epochs"]) == ("mnist_contrastive", 1)
    assert best["params"]["width"] == 4
    assert best[TEST] == metrics[TEST]


def test_the_seeds_are_fresh_and_the_same_for_every_row(first: Any) -> None:
    left = first.left
    by_row: dict[str, list[str]] = {}
    for run in left.children(left.parent()):
        by_row.setdefault(run.data.tags["row"], []).append(run.data.tags["seed"])
    assert len(by_row) == 7
    [seeds] = {tuple(sorted(seeds)) for seeds in by_row.values()}
    assert len(set(seeds)) == 2
    searched = {int(np.random.SeedSequence([0, n]).generate_state(1)[0] >> 1) for n in range(999)}
    assert not searched & {int(seed) for seed in seeds}
    assert {row["seeds"][0] for row in left.results(left.parent())["rows"]} <= set(map(int, seeds))


def test_every_reading_of_the_test_set_is_in_the_ledger(first: Any) -> None:
    left = first.left
    assert len(left.tested) == 12
    assert Counter(line["cell"] for line in left.readings) == dict.fromkeys(left.tested, 1)
    for line in left.readings:
        weights = left.folder / "mlruns" / "finals" / line["cell"] / "weights.safetensors"
        assert line["weights"] == hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
        assert line["reading"] == 1
        assert line["purpose"].startswith("mnist_contrastive-mini rerun ")
        assert line["when"].startswith("20")
    not_chosen = left.children(left.parent(), champion="false")
    assert not {run.data.tags["cell"] for run in not_chosen} & left.tested


def test_the_same_is_written_as_json(first: Any) -> None:
    left = first.left
    written = json.loads((left.folder / "out.json").read_text())
    assert written["skipped"] == {}
    [(name, result)] = written["pipelines"].items()
    assert name == "mnist_contrastive"
    rows = {row["name"]: row for row in result["rows"]}
    for run in left.children(left.parent()):
        row = rows[run.data.tags["row"]]
        index = row["cells"].index(run.data.tags["cell"])
        assert row["metrics"][VALID][index] == run.data.metrics[VALID]
        assert (TEST in row["metrics"]) == (TEST in run.data.metrics)
    compared = written["comparisons"]["mnist_contrastive-mini"]
    assert [one["second"] for one in compared] == ["its ablation", "its defaults"]
    assert all(one["verdict"] in first.out for one in compared)


def test_the_champion_is_registered(first: Any) -> None:
    """Of its seeds the one with the best validation accuracy, not the one that tested best."""
    left = first.left
    [version] = left.client.search_model_versions("name = 'mnist_contrastive-mini'")
    assert str(version.version) == "1"
    by_alias = left.client.get_model_version_by_alias("mnist_contrastive-mini", "champion")
    chosen: list[Run] = left.children(left.parent(), champion="true")
    [best] = [run for run in chosen if run.info.run_id == by_alias.run_id]
    assert best.data.metrics[VALID] == max(run.data.metrics[VALID] for run in chosen)


# Again, and more of it --------------------------------------------------------------------------


def test_the_same_command_again_trains_and_reads_nothing(first: Any, reruns: Reruns) -> None:
    again = reruns["again"].result()
    assert (again.status, again.err) == (0, "")
    assert again.left.files == first.left.files, "not a file is written again"
    assert again.left.readings == first.left.readings
    assert "\ntraining " not in again.out
    assert "\nbaseline " not in again.out
    table = first.out.partition("95 % interval\n")[2]
    assert table.splitlines()[:20] == again.out.partition("95 % interval\n")[2].splitlines()[:20]


def test_the_same_command_again_changes_no_record(first: Any, reruns: Reruns) -> None:
    before, after = first.left, reruns["again"].result().left
    assert standing(after.runs) == standing(before.runs)
    assert {r.info.run_id: points(after, r) for r in after.children(after.parent())} == {
        r.info.run_id: 1 for r in before.children(before.parent())
    }
    names = ("out.json", "again.json")
    written, rewritten = (json.loads((after.folder / name).read_text()) for name in names)
    assert rewritten == written
    assert after.points == before.points, "no metric has a value more"
    assert len(after.client.search_model_versions("name = 'mnist_contrastive-mini'")) == 1


def standing(runs: list[Run]) -> dict[str, Any]:
    """What is said of runs but for when."""
    return {
        run.info.run_id: (run.info.status, run.data.tags, run.data.params, run.data.metrics)
        for run in runs
    }


def points(left: Any, run: Run) -> int:
    """How many values of the validation accuracy a run has."""
    return len(left.client.get_metric_history(run.info.run_id, VALID))


def test_more_seeds_train_only_what_is_missing(reruns: Reruns) -> None:
    """A third seed of the one configuration, which is the defaults, and of three baselines."""
    before, done = reruns["all"].result().left, reruns["more seeds"].result()
    assert (done.status, done.out, done.err) == (0, "", ""), "--quiet prints nothing"
    after = done.left
    assert before.files.items() <= after.files.items()
    new = after.cells - before.cells
    kinds = Counter(
        json.loads((after.folder / "mlruns" / "finals" / cell / "model.json").read_text())["kind"]
        for cell in new
    )
    assert kinds == {"trained": 1, "random_encoder": 1, "pca": 1, "pixels": 1}
    assert after.readings[: len(before.readings)] == before.readings
    assert {line["cell"] for line in after.readings[len(before.readings) :]} == new
    once = Counter(line["cell"] for line in after.readings)
    assert set(once.values()) == {1}, "no cell is read twice; equal weights in two cells may be"
    two, three = (after.parent("mnist_autoencoder", seeds=seeds) for seeds in (2, 3))
    assert standing([two]) == standing([before.parent("mnist_autoencoder")])
    for row in ("config 1", "defaults", "random encoder", "PCA", "raw pixels"):
        old = {run.data.tags["cell"] for run in after.children(two, row=row)}
        everything = {run.data.tags["cell"] for run in after.children(three, row=row)}
        assert (len(old), len(everything), old < everything) == (2, 3, True), row
    assert three.info.status == "FINISHED"
    assert {run.info.status for run in after.runs} == {"FINISHED"}
