"""Kills at random moments, of the driver, its group or a worker, many to a search.

`pytest -m faults --kills 200 --fault-seed 0` runs hundreds and prints what they met.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.faults.searches import Search, kill, workers_of
from trainers.data import TrainingData

EACH = 10  # kills in a search
VICTIMS = ("driver", "group", "worker")
LONGEST = 8.0  # seconds into a command: it starts, trains and, if it is let, ends
TRAINING = 2.0  # seconds into the life of its first worker


def torment(search: Search, kills: int, seed: int) -> Counter[str]:
    """Kill the search so often, each time some seconds into it; returns whom it met.

    A worker's time begins when there is one. A search that is done before its time has the trials
    asked for raised: it goes on.
    """
    choose = random.Random(seed)
    met: Counter[str] = Counter()
    while met.total() < kills:
        process = search.start("--resume")
        whom = choose.choice(VICTIMS)
        while whom == "worker" and not workers_of(process) and process.poll() is None:
            time.sleep(0.1)
        longest = TRAINING if whom == "worker" else LONGEST
        moment = time.monotonic() + choose.uniform(0.0, longest)
        while time.monotonic() < moment and process.poll() is None:
            time.sleep(0.02)
        if process.poll() is not None:
            assert process.returncode == 0, process.communicate()
            process.communicate()
            search.note_ended()
            search.trials += 4
            continue
        met[whom_met := kill(process, whom, choose)] += 1
        if whom_met == "worker":  # the search goes on by itself
            out, err = process.communicate(timeout=240)
            assert process.returncode == 0, out + err
            search.trials += 2
        search.note_ended()
    search.finish()
    return met


@pytest.mark.slow
def test_a_few_kills(make_search: Callable[..., Search], data: TrainingData) -> None:
    search = make_search(trials=6, epochs=8, cold_workers=True)
    assert torment(search, 4, seed=1).total() == 4
    search.whole(data)


@pytest.mark.slow
@pytest.mark.faults
def test_hundreds_of_kills(
    make_search: Callable[..., Search],
    data: TrainingData,
    pytestconfig: pytest.Config,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wanted, seed = pytestconfig.getoption("--kills"), pytestconfig.getoption("--fault-seed")
    met: Counter[str] = Counter()
    trials = searches = 0
    while met.total() < wanted:
        search = make_search(trials=6, epochs=8, cold_workers=True)
        kills = min(EACH, wanted - met.total())
        met += torment(search, kills, seed=1000 * seed + searches)
        trials += len(search.whole(data))
        searches += 1
        with capsys.disabled():
            print(
                f"\n{met.total()} kills {dict(met)} in {searches} searches: {trials} trials, each "
                "once in both stores, none RUNNING, none trained again, every curve exact",
                flush=True,
            )
