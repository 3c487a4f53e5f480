"""A search is broken at each moment at which one store knows more than another, then gone on with.

Two at a time: much of a short search is waiting for processes to start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from search.errors import FAILED
from search.files import fault_injection
from trainers.data import TrainingData

pytestmark = pytest.mark.slow

Background = dict[str, tuple[Any, Future[Any]]]
KILLED = -9
QUIET = "weights:1:full --quiet"  # fault and option; its errors are on standard error
# moment:which time:action -> how the command ends. A worker that dies is replaced: nobody notices.
BROKEN = {
    "creating:1:kill": KILLED,
    "creating:2:group": KILLED,
    "creating study:1:kill": KILLED,
    "proposed:3:kill": KILLED,
    "reported:5:group": KILLED,
    "checkpoint:3:kill": 0,
    "weights:1:kill": 0,
    "weights:1:full": FAILED,
    QUIET: FAILED,
    "ended:2:kill": KILLED,
    "closing:2:group": KILLED,
    "closing:4:kill": KILLED,  # of the last trial: nothing is left to train
}


@pytest.fixture(scope="module")
def background(make_search: Callable[..., Any]) -> Iterator[Background]:
    """Fault -> the search, and how its first command ended; then it is gone on with."""
    pool = ThreadPoolExecutor(2)
    started = {}

    def work(search: Any, fault: str) -> tuple[int, str, str]:
        option = ["--quiet"] if fault == QUIET else []
        process = search.start(*option, fault=fault.removesuffix(" --quiet"))
        out, err = process.communicate(timeout=240)
        search.note_ended()
        if process.returncode:
            search.finish()
        return process.returncode, out, err

    for fault in BROKEN:
        search = make_search(store=not fault.startswith("creating:"))
        started[fault] = search, pool.submit(work, search, fault)
    yield started
    pool.shutdown(cancel_futures=True)


def test_every_moment_is_met() -> None:
    assert {fault.split(":")[0] for fault in BROKEN} == fault_injection.MOMENTS.keys()


@pytest.mark.parametrize("fault", BROKEN)
def test_nothing_is_lost_and_all_agree(
    fault: str, background: Background, data: TrainingData
) -> None:
    search, future = background[fault]
    status, out, err = future.result()
    assert status == BROKEN[fault], out + err + search.log
    shown, empty = (err, out) if fault == QUIET else (out, err)
    assert empty == ""
    assert (search.folder / "broken").exists(), "the moment was met"
    if status == FAILED:
        assert "No space left" in shown and "--resume" in shown
    search.whole(data)
