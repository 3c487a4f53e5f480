"""Every benchmark runs in its quick mode, prints what it measured and keeps it as JSON.

Their figures are not judged here: other work on the machine would fail the tests, and most of the
searches that they start begin warm (tests/commands.py).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import commands

COMMANDS = {
    "blocks": ["--pipeline", "mnist_supervised", "--threads", "1"],
    "gpu_first_run": ["all"],
    "orchestration": [],
    "peers": [],
    "real_searches": ["--pipeline", "mnist_supervised"],
    "scale": [],
    "training": ["--pipeline", "mnist_contrastive", "--threads", "1"],
}
# They want what is not in a checkout: real images, the plain way, others' tasks. Or have tests of
# their own.
ELSEWHERE = {"neutral", "plain_search", "record_curves", "replay_searches"}
PARTS = {
    "against_random",
    "commands",
    "fake_trials",
    "floor",
    "machine",
    "schedulers",
    "surrogate",
    "table",
}


def test_all_of_them_are_here() -> None:
    found = {file.stem for file in (commands.ROOT / "benchmarks").glob("*.py")}
    assert found == {*COMMANDS, *ELSEWHERE, *PARTS}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_quick(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    words = [*COMMANDS[name], "--quick", "--json", str(file)]
    done = commands.run(f"benchmarks/{name}.py", *words, folder=tmp_path, timeout=600)
    with capsys.disabled():  # what CI shows
        print(f"\n{done.out}")
    assert done.status == 0, done.err
    kept = json.loads(file.read_text())
    assert kept["machine"] in done.out
    assert kept["command"].startswith(f"{name}.py") and str(tmp_path) not in kept["command"]
    # Differences of two times: other work disturbs both.
    differences = [kept["figures"].pop(key, 0.0) for key in ("per_trial", "per_trial_tpe")]
    assert all(abs(difference) < 1e9 for difference in differences)
    numbers = list(_numbers(kept["figures"]))
    assert numbers and all(0 <= number < 1e9 for number in numbers if number == number)


def _numbers(value: object) -> list[float]:
    if isinstance(value, dict):
        return [number for each in value.values() for number in _numbers(each)]
    if isinstance(value, list):
        return [number for each in value for number in _numbers(each)]
    return [float(value)] if isinstance(value, int | float) else []
