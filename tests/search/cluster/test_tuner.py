"""What a search leaves in memory of a trial that ended."""

from __future__ import annotations

import json

from ray.tune.experiment import Trial

from search.cluster.tuner import ForgetStatistics


def test_the_statistics_of_an_ended_trial_are_freed_and_its_last_result_stays() -> None:
    trial = Trial("anything", stub=True)
    for epoch in (1, 2):
        trial.update_last_result({"training_iteration": epoch, "valid/accuracy": 0.1 * epoch})
    assert "valid/accuracy" in trial.metric_analysis
    before = json.loads(trial.run_metadata.get_json_state())
    assert before["metric_n_steps"]
    ForgetStatistics().on_trial_complete(0, [trial], trial)
    assert (trial.metric_analysis, trial.metric_n_steps) == ({}, {})
    after = json.loads(trial.run_metadata.get_json_state())
    assert not after["metric_n_steps"], "nor are they in the next snapshot"
    assert trial.last_result["valid/accuracy"] == 0.2
