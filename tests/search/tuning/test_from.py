"""`--from STUDY`: a search that starts from another's trials."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.study import study as studies
from search.study.storage import load_study, open_storage
from tests.commands import tune
from tests.search.tuning.test_twin import WORDS


@pytest.mark.slow
def test_a_search_starts_from_another_and_is_resumed_with_what_it_knew(tmp_path: Path) -> None:
    assert tune(tmp_path, *WORDS, "--study", "first", "--trials", "3").status == 0
    words = [*WORDS, "--study", "second"]
    started = tune(tmp_path, *words, "--trials", "2", "--from", "first")
    assert (started.status, started.err) == (0, "")
    assert "starts from first: the order of 3 of its trials is known" in started.out
    storage = open_storage(tmp_path / "mlruns")
    first, second = (load_study(storage, name) for name in ("first", "second"))
    best = studies.best_trials(first)[0].params
    assert best in [trial.params for trial in second.trials]
    resumed = tune(tmp_path, *words, "--trials", "3", "--resume")
    assert resumed.status == 0 and "starts from first" in resumed.out
    storage.engine.dispose()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--from", "nobodys"], "--from nobodys: there is no such study"),
        (["--from", "s", "--resume"], "--from starts a study, --resume goes on with one"),
        (["--from", "s", "--sampler", "random"], "--from teaches TPE"),
    ],
)
def test_bad_starts_are_told_in_two_lines_and_leave_nothing(
    words: list[str], told: str, tmp_path: Path
) -> None:
    ended = tune(tmp_path, *WORDS, *words)
    assert ended.status == 2 and told in ended.err and ended.err.count("\n") <= 2
    assert not (tmp_path / "mlruns").exists()
