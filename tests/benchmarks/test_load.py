"""The load benchmark runs and counts right."""

from __future__ import annotations

import re

import pytest

from tests import commands


@pytest.mark.slow
def test_a_short_load_is_measured_and_all_of_it_is_stored() -> None:
    done = commands.run("benchmarks/load.py", "--trials", "24", folder=commands.ROOT, timeout=600)
    assert done.status == 0, done.err
    *_, stored, verdict = done.out.splitlines()
    optuna, mlflow = stored.split("; ")
    states = {state: int(n) for n, state in re.findall(r"(\d+) ([A-Z]+)", optuna)}
    assert states.keys() <= {"COMPLETE", "PRUNED"} and sum(states.values()) == 24
    assert mlflow == "mlflow.db: 25 FINISHED"
    figures = {name: float(value) for name, value in re.findall(r"(\w+) ([\d.]+)(?:,|$)", verdict)}
    assert 0 < figures["first"] < 60 and 0 < figures["last"] < 60
    assert 0 < figures["memory_early"] <= figures["memory_end"] + 100
