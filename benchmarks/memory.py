"""Memory of the worker processes during a search, read from /proc (Linux).

    python benchmarks/memory.py --data-dir DIR [--pipeline cifar_contrastive]

Runs two trials at a time at width 32 and batch 512 and samples each worker's resident and private
memory twice a second. The images lie in shared memory: they count as resident in both workers and
as private in neither.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import machine

WORKERS = (b"ray::TrialWorke", b"ray::ResourceTr")  # Linux keeps 15 characters of a name


def main() -> None:
    """Run the search, sample, print the peaks."""
    parser = machine.options(__doc__, "on 5,000 images")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--pipeline", default="cifar_contrastive")
    options = parser.parse_args()
    command = [
        sys.executable,
        str(machine.ROOT / "search" / "tune.py"),
        "--pipeline",
        options.pipeline,
    ]
    command += ["--data-dir", str(options.data_dir.resolve()), "--trials", "2", "--epochs", "1"]
    command += ["--concurrency", "2", "--set", "width=32", "--set", "batch_size=512"]
    if options.quick:
        command += ["--train-size", "5000"]
    peaks: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as search:
            while search.poll() is None:
                for pid in _workers():
                    for name, gib in _memory(pid):
                        seen = peaks.setdefault(pid, {})
                        seen[name] = max(seen.get(name, 0.0), gib)
                time.sleep(0.5)
        if search.returncode:
            sys.exit(f"the search ended with status {search.returncode}")
    where = machine.announce("torch", "ray")
    for pid, peak in peaks.items():
        machine.show(f"worker {pid}, peak GiB", peak)
    machine.keep(options.json, machine=where, figures={"workers": list(peaks.values())})


def _workers() -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "comm").read_bytes().startswith(WORKERS):
                yield int(entry.name)
        except OSError:
            continue  # it ended in between


def _memory(pid: int) -> Iterator[tuple[str, float]]:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    except OSError:
        return
    kib = {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines() if "kB" in line}
    yield "resident", kib["Rss"] / 2**20
    yield "private", (kib["Private_Clean"] + kib["Private_Dirty"]) / 2**20


if __name__ == "__main__":
    main()
