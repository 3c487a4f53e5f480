"""Several pipelines: those without a study are skipped, the others compared with each other."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from search.cells.statistics import difference, holm
from search.finals import by_dataset
from search.finals.best_rerun import Finished, best_rerun
from search.finals.by_dataset import compare_datasets
from search.finals.comparisons import comparisons_json, verdict
from search.spaces.pipeline import pipeline_names
from search.tracking.store import Store

pytestmark = pytest.mark.slow

Reruns = Mapping[str, Future[Any]]
OTHERS = ["its ablation", "its defaults", "random search", "mnist_autoencoder", "mnist_supervised"]
SEARCHED = ("mnist_autoencoder", "mnist_contrastive", "mnist_supervised")
SKIPPED = [name for name in pipeline_names() if name not in SEARCHED]


@pytest.fixture(scope="module")
def everything(reruns: Reruns) -> Any:
    """`--pipeline all` where three pipelines have a study, one of which was rerun before."""
    return reruns["all"].result()


def test_pipelines_without_a_study_are_skipped(everything: Any) -> None:
    assert (everything.status, everything.err) == (0, "")
    skipped = [line for line in everything.out.splitlines() if line.endswith(": skipped")]
    assert skipped == [f"{name} has no finished study: skipped" for name in SKIPPED]
    written = json.loads((everything.left.folder / "all.json").read_text())
    assert list(written["skipped"]) == SKIPPED
    assert tuple(written["pipelines"]) == SEARCHED
    assert {run.info.status for run in everything.left.runs} == {"FINISHED"}


def test_what_pipelines_share_is_made_once(everything: Any, reruns: Reruns) -> None:
    """PCA and raw pixels; and the one that was rerun before is left as it is."""
    before, after = reruns["again"].result().left, everything.left
    assert before.files.items() <= after.files.items()
    models = [
        json.loads((after.folder / "mlruns" / "finals" / cell / "model.json").read_text())
        for cell in after.cells
    ]
    counts = Counter((model["kind"], model["pipeline"]) for model in models)
    assert counts == {
        ("trained", "mnist_contrastive"): 8,
        ("ablation", "mnist_contrastive"): 5,
        ("random_encoder", "mnist_contrastive"): 2,
        ("trained", "mnist_autoencoder"): 2,
        ("random_encoder", "mnist_autoencoder"): 2,
        ("trained", "mnist_supervised"): 2,
        ("random_encoder", "mnist_supervised"): 2,
        ("pca", ""): 2,
        ("pixels", ""): 2,
    }
    assert Counter(line["cell"] for line in after.readings) == dict.fromkeys(after.tested, 1)
    for pipeline in ("mnist_autoencoder", "mnist_supervised"):
        parent = after.parent(pipeline)
        for row in ("PCA", "raw pixels"):
            assert len(after.children(parent, row=row)) == 2


def test_a_configuration_that_diverges_is_left_out(everything: Any) -> None:
    """The other one is the defaults, tested once under both names."""
    left = everything.left
    parent = left.parent("mnist_supervised")
    results = left.results(parent)
    assert results["source"] == "trial 1 of first"
    assert len(results["failures"]) == 2
    assert set(results["failures"].values()) == {"loss is nan at step 1"}
    assert everything.out.count("not trained: trained seed ") == 2
    assert "tuning brought nothing: the champion is the defaults" in " ".join(
        everything.out.split()
    )
    finals = left.children(parent, kind="final")
    defaults = left.children(parent, baseline="defaults")
    assert {run.data.tags["champion"] for run in finals} == {"true"}
    cells = {run.data.tags["cell"] for run in finals}
    assert len(cells) == 2
    assert cells == {run.data.tags["cell"] for run in defaults}
    assert Counter(line["cell"] for line in left.readings if line["cell"] in cells) == (
        dict.fromkeys(cells, 1)
    )
    assert all("test/accuracy" in run.data.metrics for run in (*finals, *defaults))


def test_a_smaller_choice_than_asked_for_is_told(everything: Any) -> None:
    assert "--top 2: only 1 complete configurations to choose from" in everything.out


def test_the_contrastive_pipeline_is_compared_with_five_others(everything: Any) -> None:
    left = everything.left
    parent = left.parent()
    results = left.results(parent)
    compared = results["comparisons"]
    assert [c["second"] for c in compared] == OTHERS
    assert {c["first"] for c in compared} == {"mnist_contrastive"}
    rows = [
        *(
            next(row for row in results["rows"] if row["name"] == name)
            for name in ("ablation", "defaults", "random search")
        ),
        left.results(left.parent("mnist_autoencoder"))["rows"][0],
        left.results(left.parent("mnist_supervised"))["rows"][0],
    ]
    assert "learning rate" in rows[0]["note"] and "the best of 4 on validation" in rows[0]["note"]
    assert results["readings"] == {"2": sum(len(row["test"]) for row in results["rows"])}
    drawn = rows[2]
    assert drawn["params"]["width"] == 5 and drawn["epochs"] == results["epochs"]
    assert drawn["note"] == "trial 0 of first-random, in equal time"
    main = results["rows"][0]
    for comparison, row in zip(compared, rows, strict=True):
        means = [np.mean(one["metrics"]["test/accuracy"]) for one in (main, row)]
        assert comparison["difference"]["mean"] == pytest.approx(means[0] - means[1])
        expected, p = difference(hits(left, main), hits(left, row))
        assert comparison["difference"] == dataclasses.asdict(expected)
        assert comparison["p"] == p
    corrected = holm([c["p"] for c in compared], family=5)
    assert [c["p_holm"] for c in compared] == pytest.approx(corrected)
    shown = " ".join(everything.out.split())
    for comparison in compared:
        assert comparison["verdict"] in shown
        tag = parent.data.tags[f"verdict/{comparison['second']}"]
        assert tag == comparison["verdict"]
    written = json.loads((left.folder / "all.json").read_text())
    assert written["comparisons"] == {"mnist_contrastive-mini": compared}


def hits(left: Any, row: Mapping[str, Any]) -> np.ndarray:
    every = []
    for cell in row["cells"]:
        with np.load(left.folder / "mlruns" / "finals" / cell / "test.npz") as outputs:
            every.append(outputs["predictions"] == outputs["labels"])
    return np.stack(every)


def test_a_later_rerun_of_one_pipeline_finds_the_others_in_mlflow(
    everything: Any, reruns: Reruns
) -> None:
    """Its third seed counts, and nothing else changes but the correction."""
    later = reruns["more seeds"].result()
    written = json.loads((later.left.folder / "more.json").read_text())
    assert list(written["pipelines"]) == ["mnist_autoencoder"]
    before = json.loads((everything.left.folder / "all.json").read_text())
    now, then = (one["comparisons"]["mnist_contrastive-mini"] for one in (written, before))
    changed = [
        one["second"] for one, other in zip(now, then, strict=True) if one["p"] != other["p"]
    ]
    assert changed == ["mnist_autoencoder"]
    assert later.left.results(later.left.parent())["comparisons"] == now


RERUN = "python search/rerun.py --pipeline mnist_{} --data mini"
NOT_COMPARED = "not compared: measured on other data"


@pytest.mark.parametrize(
    ("older", "compared", "mend"),
    [
        (["autoencoder"], ["mnist_supervised"], {"autoencoder": ["autoencoder"]}),
        (["contrastive"], [], {"autoencoder": ["contrastive"], "supervised": ["contrastive"]}),
        (["autoencoder", "contrastive"], ["mnist_autoencoder"], {"supervised": ["contrastive"]}),
    ],
)
def test_what_was_measured_on_other_data_is_not_compared(
    older: list[str],
    compared: list[str],
    mend: dict[str, list[str]],
    everything: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some pipelines' numbers are made to be of others.

    It is they that must be made anew, whichever pipeline this call is about.
    """
    home = everything.left.folder / "mlruns"
    store = Store(f"sqlite:///{home / 'mlflow.db'}")

    def found(store: Store, experiment: str) -> Finished | None:
        one = best_rerun(store, experiment)
        if one and one.result["pipeline"].removeprefix("mnist_") in older:
            return replace(one, result={**one.result, "data_fingerprint": "others"})
        return one

    logged: dict[str, Any] = {}  # the other tests' store stays as it is
    monkeypatch.setattr(by_dataset, "best_rerun", found)
    monkeypatch.setattr(Store, "log_text", lambda _, run, text, name: logged.update({name: text}))
    monkeypatch.setattr(Store, "log", lambda _, run, tags: logged.update(tags=tags))
    whole = everything.left.results(everything.left.parent())
    data = SimpleNamespace(label="mini", fingerprint=whole["data_fingerprint"])
    this_call: Any = SimpleNamespace(pipeline="mnist_supcon", data=data)
    told: list[str] = []
    [made] = compare_datasets(store, [this_call], told.append).values()
    assert [c.second for c in made] == [*OTHERS[:3], *compared]
    assert told == [
        f"mnist_contrastive and mnist_{opponent} are {NOT_COMPARED}; to fix: "
        + "; ".join(RERUN.format(name) for name in names)
        for opponent, names in mend.items()
    ]
    verdicts = {f"verdict/{c.second}": verdict(c) for c in made}
    refusals = {f"verdict/mnist_{opponent}": NOT_COMPARED for opponent in mend}
    assert logged["tags"] == verdicts | refusals
    written = json.loads(logged["results.json"])
    assert written["comparisons"] == json.loads(json.dumps(comparisons_json(made)))


def test_an_exported_champion_is_trained_again_where_nothing_was_searched(
    everything: Any, reruns: Reruns
) -> None:
    """Its cells are the same ones, and so are its numbers."""
    done = reruns["elsewhere"].result()
    assert (done.status, done.err) == (0, "")
    assert "config 1: mnist_supervised-mini.json" in done.out
    assert "promised" not in done.out
    left = done.left
    parent = left.parent("mnist_supervised")
    assert parent.data.params["top"] == "1"
    assert parent.data.tags["protocol"] == str(left.results(parent)["protocol"]) == "2"
    assert "optimism/accuracy" not in parent.data.metrics
    results = left.results(parent)
    there = everything.left.results(everything.left.parent("mnist_supervised"))
    assert results["failures"] == {}
    rows = [row for row in there["rows"] if row["name"] != "defaults"]
    assert len(rows) == len(there["rows"]) - 1, "--without leaves the defaults out"
    assert [row["cells"] for row in results["rows"]] == [row["cells"] for row in rows]
    for metric in ("train/accuracy", "valid/accuracy", "test/accuracy"):
        assert [row["metrics"][metric] for row in results["rows"]] == [
            row["metrics"][metric] for row in rows
        ]
