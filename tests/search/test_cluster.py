"""Ray as a search starts it: out of reach for other machines."""

from __future__ import annotations

import ipaddress
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
LISTENERS = r"""
import json, os, socket, struct
from pathlib import Path

from search import cluster

cluster.prepare_environment()
from search.resources import Resources
from trainers.data import load_training

one = Resources(
    device="cpu", concurrency=1, cpus_per_trial=1, gpus_per_trial=0.0, precision="float32"
)
cluster.start(one, load_training("mnist", mini=True, train_size=100))


def family():
    # this process and all below it
    parents = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(process.name)] = parent(process)
        except OSError:  # ended meanwhile
            pass
    own = {os.getpid()}
    while more := {pid for pid, above in parents.items() if above in own} - own:
        own |= more
    return own


def parent(process):
    return int((process / "stat").read_text().rpartition(")")[2].split()[1])


def name(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def sockets(process):
    names = []
    for descriptor in (process / "fd").iterdir():
        try:
            names.append(descriptor.readlink().name)
        except OSError:  # closed meanwhile
            pass
    return {int(name[8:-1]) for name in names if name.startswith("socket:[")}


idle = [pid for pid in family() if name(pid) == "ray::IDLE"]
import ray

assert ray.get(ray.remote(lambda: 1).remote()) == 1  # a worker listens too
running = [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in family()]
names = {}
for pid in family():
    try:
        names |= {inode: name(pid) for inode in sockets(Path(f"/proc/{pid}"))}
    except OSError:
        pass
found = []
for table, words in (("tcp", 1), ("tcp6", 4)):
    for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and int(fields[9]) in names:  # LISTEN
            raw = bytes.fromhex(fields[1].partition(":")[0])
            packed = struct.pack(f">{words}I", *struct.unpack(f"<{words}I", raw))
            family = socket.AF_INET if words == 1 else socket.AF_INET6
            found.append((names[int(fields[9])], socket.inet_ntop(family, packed)))
cluster.stop()
print(json.dumps({"idle": len(idle), "found": found, "running": running}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_listens_beyond_this_machine_and_nothing_runs_unasked() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LISTENERS], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["idle"] == 0, "a worker starts when there is work for it"
    for unneeded in ("monitor.py", "log_monitor.py", "dashboard.py"):
        assert not any(unneeded in command for command in said["running"])
    found = said["found"]
    assert len(found) >= 4, "Ray's server, its node and the workers listen"
    for name, address in found:
        parsed = ipaddress.ip_address(address)
        mapped = getattr(parsed, "ipv4_mapped", None)
        assert (mapped or parsed).is_loopback, f"{name} listens at {address}"
