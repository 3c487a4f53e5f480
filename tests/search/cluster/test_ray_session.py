"""Ray as a search starts it: out of reach for other machines, and for users without a home."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from search.cluster import ray_session
from search.cluster.resources import Resources
from tests import commands
from trainers.data import TrainingData

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
LISTENERS = """
import json
from contextlib import suppress

import psutil

from search.cluster import ray_session as cluster

cluster.prepare_environment()
from search.cluster.resources import Resources
from trainers.data import load_training

cluster.start(Resources(), load_training("mnist", mini=True, train_size=100))


def family():
    me, seen = psutil.Process(), []
    for each in (me, *me.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # ended meanwhile
            seen.append(each.as_dict(["name", "cmdline", "net_connections"]))
    return seen


idle = sum(each["name"] == "ray::IDLE" for each in family())
import ray

assert ray.get(ray.remote(lambda: 1).remote()) == 1  # a worker listens too
running = family()
cluster.stop()
found = [
    (each["name"], socket.laddr.ip)
    for each in running
    for socket in each["net_connections"] or ()
    if socket.status == psutil.CONN_LISTEN
]
running = [" ".join(each["cmdline"] or ()) for each in running]
print(json.dumps({"idle": idle, "found": found, "running": running}))
"""


def test_nothing_listens_beyond_this_machine_and_nothing_runs_unasked() -> None:
    done = commands.cold(LISTENERS)
    assert done.status == 0, done.err
    said = json.loads(done.out.splitlines()[-1])
    assert said["idle"] == 0, "a worker starts when there is work for it"
    for unneeded in ("monitor.py", "log_monitor.py", "dashboard.py"):
        assert not any(unneeded in command for command in said["running"])
    found = said["found"]
    assert len(found) >= 4, "Ray's server, its node and the workers listen"
    for name, address in found:
        parsed = ipaddress.ip_address(address)
        mapped = getattr(parsed, "ipv4_mapped", None)
        assert (mapped or parsed).is_loopback, f"{name} listens at {address}"


def test_who_has_no_token_is_told_where_to_put_it(tmp_path: Path) -> None:
    code = "from search.cluster.ray_session import join, prepare_environment\n"
    code += "prepare_environment(); join('127.0.0.1:1')"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    done = commands.cold(code, environment={**kept, "HOME": str(tmp_path)})
    assert "Failure: the Ray cluster at 127.0.0.1:1 requires its token" in done.err
    assert "set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH" in done.err
    assert not (tmp_path / ".ray").exists(), "a new token would be none of the cluster's"


STARTS = """
from types import SimpleNamespace
from search.cluster import ray_session as cluster
cluster.prepare_environment()
import ray
from ray import tune
from search.cluster.resources import Resources
one = Resources()
cluster.start(one, SimpleNamespace(nbytes=0))
print(ray.get(ray.remote(lambda: "works").remote()))
cluster.stop()
"""
UNNAMED = ["unshare", "--user", "--map-user=54321"]  # as `docker run --user` has it


@pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run([*UNNAMED, "true"]).returncode != 0,
    reason="needs a user namespace",
)
@pytest.mark.parametrize("home", [["-u", "HOME"], ["HOME=/proc"]], ids=["none", "read-only"])
def test_ray_starts_for_a_user_without_a_name_and_a_home(home: list[str]) -> None:
    done = subprocess.run(
        [*UNNAMED, "env", *home, sys.executable, "-c", STARTS],
        **{"cwd": ROOT, "capture_output": True, "text": True, "timeout": 120},
    )
    assert (done.returncode, done.stdout) == (0, "works\n"), done.stderr


COLLECTING = r"""
import os, threading, time

from search.cluster import ray_session

ray_session.prepare_environment()
import ray

from search.cluster.resources import Resources
from trainers.data import load_training

one = Resources()
ray_session.start(one, load_training("mnist", mini=True, train_size=100))
kept = []
for _ in range(6000):
    kept.append([ray.put(1)])
    kept[-1].append(kept[-1])  # a circle: only a collection frees it
stopped = threading.Event()


def leave_garbage():
    while kept and not stopped.is_set():
        kept.pop()
        for each in (circles := [[] for _ in range(800)]):
            each.append(each)
        time.sleep(0.0005)


threading.Thread(target=leave_garbage).start()
time.sleep(0.05)
ray_session.stop()
stopped.set()
print(len(kept) > 0)
"""


def test_a_collection_in_another_thread_does_not_end_the_process_while_ray_stops() -> None:
    """Without `stop`'s care most ended with status 1 and said nothing."""
    done = commands.cold(COLLECTING)
    assert (done.status, done.out) == (0, "True\n"), done.err


def test_a_signal_while_ray_starts_is_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's own handler of SIGTERM calls `sys.exit(1)`."""
    monkeypatch.setattr(ray_session, "start", lambda *_: sys.exit(1))
    resources, data = cast(Resources, None), cast(TrainingData, None)
    heard: list[None] = []
    with (
        pytest.raises(KeyboardInterrupt),
        ray_session.running(resources, data, None, lambda: heard.append(None)),
    ):
        pytest.fail("Ray does not run")
    assert heard, "the command's own handlers are back"
