"""Searches replayed against a surrogate: on curves whose best point is known."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import record_curves, replay_searches, schedulers
from benchmarks.against_random import RANDOM_TRIALS, compared
from benchmarks.replay_searches import halved
from benchmarks.surrogate import Surrogate, as_recorded, trust
from search.spaces.pipeline import load_pipeline

search = replay_searches.search
NAME = "mnist_contrastive"
Lines = list[dict[str, Any]]
PIPELINE = load_pipeline(NAME)


def truth(params: dict[str, float], epochs: int) -> list[float]:
    """Best at the defaults' learning rate and temperature; low rates are late, not bad."""
    rate = math.log10(params["lr"] / PIPELINE.defaults["lr"])
    warm = math.log10(params["temperature"] / PIPELINE.defaults["temperature"])
    end = 0.97 - 0.1 * rate**2 - 0.05 * warm**2
    return [round(end - 0.3 * math.exp(-e * (1.2 + rate)), 4) for e in range(1, epochs + 1)]


def line(number: int, params: dict[str, float], luck: float = 0.0) -> dict[str, object]:
    seconds = params["width"] / 32
    return {
        "number": number,
        "params": params,
        "epochs": PIPELINE.epochs,
        "values": [value + luck for value in truth(params, PIPELINE.epochs)],
        "epoch_seconds": seconds,
        "measuring_seconds": 0.5,
    }


@pytest.fixture(scope="module")
def recorded() -> Lines:
    lines: Lines = []
    while len(lines) < 40:
        number, params = record_curves.propose(NAME, lines) or (0, {})
        lines.append(line(number, params))
    return [*lines, *(line(40 + n, lines[n]["params"], 0.002) for n in (0, 10, 20, 30))]


def test_defaults_then_random_then_searched_then_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_curves, "RANDOM", 30)
    monkeypatch.setattr(record_curves, "SEARCHED", 30)
    monkeypatch.setattr(record_curves, "REPEATED", 6)
    lines: Lines = []
    while following := record_curves.propose(NAME, lines):
        lines.append(line(*following))
    assert [each["number"] for each in lines] == list(range(70))
    assert lines[0]["params"] == PIPELINE.defaults
    ends = [truth(each["params"], PIPELINE.epochs)[-1] for each in lines]
    assert sum(ends[30:60]) > sum(ends[:30]) + 0.5
    assert [each["params"] for each in lines[60:]] == [each["params"] for each in lines[:60:6]]


def test_a_recording_goes_on_where_it_was_broken_off(tmp_path: Path, recorded: Lines) -> None:
    file = tmp_path / f"{NAME}.jsonl"
    file.write_text(json.dumps(recorded[0]) + "\n" + json.dumps(recorded[1])[:40])
    assert [line["number"] for line in record_curves.read(file)] == [0]
    assert record_curves.propose(NAME, record_curves.read(file)) == (1, recorded[1]["params"])


def test_what_came_into_a_space_after_its_curves_is_left_out(recorded: Lines) -> None:
    old = [{**each, "params": dict(each["params"])} for each in recorded]  # type: ignore[call-overload]
    for each in old:
        del each["params"]["temperature"]
        each["params"]["batch_size"] = 512 if each["number"] else 256
    then = as_recorded(PIPELINE, old)
    assert then.space.keys() == PIPELINE.space.keys() - {"temperature"}
    assert then.space["batch_size"].choices == (256, 512)  # type: ignore[attr-defined]
    assert then.defaults == old[0]["params"]
    assert as_recorded(PIPELINE, recorded) == PIPELINE


@pytest.mark.slow
def test_the_surrogate_learns_the_curves(recorded: Lines) -> None:
    trusted = trust(PIPELINE.space, recorded)
    assert trusted["low"] < trusted["rank"] < trusted["high"] and trusted["ceiling"] == 1
    assert trusted["rank"] > 0.9 and trusted["error"] < 0.02
    surrogate = Surrogate(PIPELINE.space, recorded)
    _, unseen = record_curves.propose(NAME, recorded[:40]) or (0, {})
    assert surrogate.curve(unseen) == pytest.approx(truth(unseen, PIPELINE.epochs), abs=0.05)
    assert surrogate.seconds(unseen)[0] == pytest.approx(unseen["width"] / 32, rel=0.2)
    ends = {surrogate.curve(unseen, np.random.default_rng(seed))[-1] for seed in range(20)}
    assert 0.0005 < max(ends) - min(ends) < 0.005, "what two seeds differ by, and no more"


def test_time_and_measurements_of_a_replayed_search(recorded: Lines) -> None:
    surrogate = Surrogate(PIPELINE.space, recorded)
    chosen = replay_searches.WAYS
    for way in (chosen["ours"], chosen["plain pair"], chosen["random"]):
        events = list(search(PIPELINE, surrogate, way, seed=0, trials=12))
        times = [at for at, _ in events]
        assert times == sorted(times)
        assert 12 <= len(events) <= 12 * PIPELINE.epochs
    whole = list(search(PIPELINE, surrogate, chosen["random"], seed=0, trials=12))
    assert len(whole) == 12, "measured at the end alone"
    ours = list(search(PIPELINE, surrogate, chosen["ours"], seed=0, trials=12))
    assert len(ours) > 12 and ours[-1][0] < whole[-1][0], "some are stopped, and time is saved"
    again = list(search(PIPELINE, surrogate, chosen["ours"], seed=0, trials=12))
    assert [value for _, value in again] == [value for _, value in ours]
    assert [at for at, _ in again] == pytest.approx([at for at, _ in ours], abs=1.0)
    wide = list(search(PIPELINE, surrogate, chosen["random"], seed=0, trials=12, workers=12))
    assert len(wide) == 12 and wide[-1][0] < whole[-1][0] / 3, "all twelve at a time"


def test_what_an_oracle_and_a_short_time_leave_out(
    recorded: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    surrogate = Surrogate(PIPELINE.space, recorded)
    chosen = replay_searches.WAYS
    for goal, measured in ((0.0, 2 * 12), (2.0, 12)):  # the first rung and the end, or it alone
        way = chosen["random + oracle"]
        events = list(search(PIPELINE, surrogate, way, seed=0, trials=12, goal=goal))
        assert len(events) == measured
    monkeypatch.setattr(schedulers, "SHORTS", 6)
    events = list(search(PIPELINE, surrogate, chosen["short, then full"], seed=0, trials=12))
    assert len(events) == 12 + 2, "each is measured once, one in six at its end too"
    firsts = [value for _, value in events[:6]]
    ended = next(value for at, value in events if value not in firsts)
    assert ended > max(firsts) - 0.1


def test_a_paused_trial_goes_on_once_it_is_in_the_best_third(recorded: Lines) -> None:
    surrogate = Surrogate(PIPELINE.space, recorded)
    paused = replay_searches.WAYS["pausing ASHA"]
    events = list(search(PIPELINE, surrogate, paused, seed=0, trials=27, workers=1))
    assert len(events) == 27 + 9 + 3, "a third of each rung goes on, and none is stopped for good"


def test_a_search_is_compared_with_the_time_of_a_random_one() -> None:
    events = [(2.0, 0.5), (4.0, 0.8), (7.0, 0.9), (9.0, 0.95)]
    met = compared(iter(events), 0.9, 0.5, 14.0)
    assert (met.ratio, met.reached) == (2.0, True)
    assert met.regret[5] == pytest.approx(0.25) and met.regret[1] == 1.0 and met.regret[-1] == 0
    late = compared(iter(events), 0.95, 0.5, 5.0)
    assert (late.ratio, late.reached) == (5 / 9, True)
    for whole in (8.0, 4.0):  # the time is not over, and it is
        missed = compared(iter(events), 1.0 if whole > 4 else 0.95, 0.5, whole)
        assert (missed.ratio, missed.reached) == (0.5, False)
    assert compared(iter(events), 1.0, 0.5, 8.0).regret[-1] == pytest.approx(0.2)


def test_halves_share_no_configuration(recorded: Lines) -> None:
    halves = [halved(recorded, first, 2) for first in (0, 1)]
    assert sorted(len(half) for half in halves) == [20, 24] and halved(recorded, 0, 1) == recorded
    params = [{json.dumps(one["params"]) for one in half} for half in halves]
    assert not params[0] & params[1]


@pytest.mark.slow
def test_the_command_prints_a_line_for_each_way(
    tmp_path: Path, recorded: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "".join(json.dumps(line) + "\n" for line in recorded)
    (tmp_path / f"{NAME}.jsonl").write_text(text)
    kept = tmp_path / "figures.json"
    words = ["--pipeline", NAME, "--curves", str(tmp_path), "--quick", "--json", str(kept)]
    words += ["--figure", str(tmp_path / "anytime.png")]
    replay_searches.main(words)
    out = capsys.readouterr().out
    assert f"{NAME}, recorded curves: curves 44, pairs 4, rank " in out
    lines = (text.partition(f", {NAME} ") for text in out.splitlines()[-3:])
    ratios = {way.partition(":")[0]: float(shown.split()[0]) for way, _, shown in lines}
    assert list(ratios) == list(replay_searches.QUICK)
    figures = json.loads(kept.read_text())["figures"]
    assert figures["times_faster"]["ours"][NAME][0] == pytest.approx(ratios["ours"], abs=0.05)
    whole = figures["over_all"]["ours"]
    mean, low, high = whole["mean"]
    assert low <= mean <= high and whole["reached"] == 1
    assert all(low <= middle <= high for middle, low, high in whole["regret"].values())
    assert (tmp_path / "anytime.png").read_bytes().startswith(b"\x89PNG")
    plain = figures["over_all"]["plain pair"]["mean"][0]
    assert whole["over_plain"][0] == pytest.approx(mean / plain)
    # The first trial is the best point there is. If it cost what a random one does, the ratio would
    # be the number of those that a worker trains; it may cost four times as much.
    assert ratios["ours"] > max(RANDOM_TRIALS / 2 / 4, ratios["no trial 0"])


def test_an_unknown_way_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        replay_searches.main(["--way", "no trial 0", "--way", "hope"])
    assert ended.value.code == 2
    assert "no way 'hope', there are: plain pair, ours, no trial 0" in capsys.readouterr().err
