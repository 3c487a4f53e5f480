"""Which sampler and scheduler a search has."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.errors import UserError
from search.tune import parser
from search.tuning.plan import Plan, make_plan

LIMIT = "--limit valid/mae<=0.05"
TWO = "--objective valid/accuracy --objective valid/mae:min"


def planned(given: str) -> Plan:
    words = f"--pipeline cifar_autoencoder --data mini {given}"
    return make_plan(parser().parse_args(words.split()))


@pytest.mark.parametrize(
    ("given", "ways"),
    [
        ("", ("tpe+gp", "predictive")),
        (LIMIT, ("tpe", "predictive")),
        (TWO, ("tpe", "none")),
        ("--objective valid/mae:min", ("tpe+gp", "none")),
        ("--sampler gp --scheduler asha", ("gp", "asha")),
    ],
)
def test_auto_takes_what_can_learn_from_the_aims(
    given: str, ways: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = planned(given)
    assert (plan.sampler, plan.scheduler) == ways


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (f"{LIMIT} --sampler tpe+gp", "--sampler tpe+gp does not learn from limits\n"),
        (f"{TWO} --sampler tpe+gp", "--sampler tpe+gp does not learn from two goals\n"),
        (f"{TWO} --scheduler asha", "--scheduler asha cannot compare trials by two goals\n"),
    ],
)
def test_what_cannot_is_refused(given: str, told: str) -> None:
    with pytest.raises(UserError, match=told.replace("+", r"\+")):
        planned(given)
