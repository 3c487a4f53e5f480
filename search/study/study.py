"""The study: Optuna's record of a search, in SQLite under `mlruns/`.

Only the study records which configurations were proposed and how each ended. Its user attributes
hold the search's identity, so that a resumed study cannot silently become another one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import optuna
from optuna import Study
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from search.errors import UserError
from search.files import fault_injection
from search.spaces.goals import Aims, feasible
from search.spaces.pipeline import METRIC, Scalar, pipeline_names, pipeline_of
from trainers import protocol

if TYPE_CHECKING:
    from trainers.precision import Precision

CONFIG = "config"  # user attribute of a trial: its TrialConfig
DUPLICATE = "duplicate_of"  # user attribute of a proposal that was not trained
ERROR = "error"
REFUSED = "refused"  # user attribute of a proposal beyond a limit, which was not trained: the limit
KNOWN = "known"  # user attribute of a study that was started from another: what that one found
IDENTITY = "identity"  # user attribute of a study: the settings that a resumed search must repeat
ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def create(
    storage: RDBStorage,
    name: str,
    *,
    identity: Mapping[str, Any],
    defaults: Mapping[str, Scalar] | None,
    known: Mapping[str, Any] | None = None,
) -> Study:
    """Create a study; the caller holds its lock.

    Its first proposals are the defaults, if given, and the best of what is `known` of an earlier
    search. The identity is written last; a study without one is incomplete and is recreated.
    """
    for summary in optuna.study.get_all_study_summaries(storage, include_best_trial=False):
        most = 1 + (KNOWN in summary.user_attrs)
        incomplete = IDENTITY not in summary.user_attrs and summary.n_trials <= most
        if summary.study_name == name and incomplete:
            optuna.delete_study(study_name=name, storage=storage)
    directions = [goal.direction for goal in _aims(identity).goals]
    study = optuna.create_study(storage=storage, study_name=name, directions=directions)
    if defaults is not None:
        study.enqueue_trial(dict(defaults))
    if known:
        study.set_user_attr(KNOWN, dict(known))
        if (best := dict(known["configurations"][0])) != defaults:
            study.enqueue_trial(best)
    fault_injection.reach("creating study")
    study.set_user_attr(IDENTITY, dict(identity))
    return study


def reopen(
    storage: RDBStorage, name: str, *, identity: Mapping[str, Any], accept_source: bool = False
) -> Study:
    """Open an existing study and put its interrupted trials back into the queue.

    Args:
        accept_source: go on with another text of a user's own pipeline; each trial keeps its own.

    Raises:
        UserError: the study belongs to another search, see `check_identity`.
    """
    study = optuna.load_study(storage=storage, study_name=name)
    check_identity(study, identity, accept_source=accept_source)
    if accept_source:
        study.set_user_attr(IDENTITY, dict(identity))
    requeue_running(study)
    return study


def check_identity(
    study: Study, identity: Mapping[str, Any], *, accept_source: bool = False
) -> None:
    """Make sure that the study belongs to the search of this identity.

    Raises:
        UserError: it belongs to another search; the message shows the differences.
    """
    before = study.user_attrs.get(IDENTITY, {})
    check_protocol(study)
    asked = json.loads(json.dumps(dict(identity)))
    differing = [key for key in sorted({*before, *asked}) if before.get(key) != asked.get(key)]
    if differing == ["source"] and not accept_source:
        raise UserError(
            f"study {study.study_name!r} was searched with another text of "
            f"{asked['pipeline']}.py\n"
            "bring it back, add --accept-source to go on with this one, or leave --resume out"
        )
    differences = [
        f"{key}: {_short(before.get(key))} then, {_short(asked.get(key))} now"
        for key in differing
        if key != "source" or not accept_source
    ]
    if differences:
        raise UserError(
            f"study {study.study_name!r} belongs to another search; {'; '.join(differences[:3])}\n"
            "give the same options to go on, or leave --resume out to start a new study"
        )


def check_protocol(study: Study) -> None:
    """Make sure that the study's trials were measured as trials are measured now.

    Raises:
        UserError: by another version of the protocol.
    """
    measured = int(study.user_attrs.get(IDENTITY, {}).get("protocol", 1))
    if measured != protocol.VERSION:
        raise UserError(
            f"study {study.study_name!r} was measured by protocol {measured}, which does not "
            f"compare with protocol {protocol.VERSION} of now (docs/protocol.md)\n"
            f"search a new study; analysis/report.py --protocol {measured} shows this one"
        )


def precision_on(study: Study, device: str) -> Precision | None:
    """The number format of the study's trials on `device`; None if it has no trials there yet.

    The driver measures the format when a study begins, and a later measurement may give another
    one. A resumed study keeps its format, so that its trials are comparable and an interrupted
    trial goes on unchanged.
    """
    for trial in study.get_trials(deepcopy=False):
        config = trial.user_attrs.get(CONFIG)
        if config and config["device"] == device:
            precision: Precision = config["precision"]
            return precision
    return None


def requeue(study: Study, trial_id: int) -> None:
    """Put a running trial back: the next proposal is this trial again, with its parameters."""
    study._storage.set_trial_state_values(trial_id, TrialState.WAITING)


def requeue_running(study: Study) -> None:
    """Put back all running trials; the caller holds the study's lock, so none really runs."""
    for trial in running(study):
        requeue(study, trial._trial_id)


def running(study: Study) -> list[FrozenTrial]:
    """Trials that count as under way."""
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def aims(study: Study) -> Aims:
    """The goals and limits of the study."""
    return _aims(study.user_attrs.get(IDENTITY, {}))


def _aims(identity: Mapping[str, Any]) -> Aims:
    known = "source" in identity or identity.get("pipeline") in pipeline_names()
    return Aims.from_json(identity, pipeline_of(identity).metric if known else METRIC)


def is_duplicate(trial: FrozenTrial) -> bool:
    """Whether the proposal repeated an earlier one and was not trained."""
    return DUPLICATE in trial.user_attrs


def trained(study: Study) -> list[FrozenTrial]:
    """The trials that ended, without duplicates and refused proposals."""
    ended = study.get_trials(deepcopy=False, states=ENDED)
    return [t for t in ended if not (is_duplicate(t) or REFUSED in t.user_attrs)]


def refused(study: Study) -> list[FrozenTrial]:
    """The proposals that were beyond a limit which is known before training, and not trained."""
    return [trial for trial in study.get_trials(deepcopy=False) if REFUSED in trial.user_attrs]


def counts(study: Study) -> Counter[str]:
    """How many trials ended in each state."""
    return Counter(trial.state.name for trial in trained(study))


def excess(trial: FrozenTrial) -> float:
    """By what share of their bounds a trial is beyond its limits; 0 if it keeps them."""
    return sum(max(0.0, violation) for violation in trial.constraints.values())


def ranked(study: Study) -> list[FrozenTrial]:
    """COMPLETE trials, the best first; after them those beyond a limit, the least first."""
    sign = 1 if aims(study).goals[0].minimise else -1
    complete = [t for t in trained(study) if t.state is TrialState.COMPLETE]
    return sorted(complete, key=lambda t: (excess(t), sign * t.values[0], t.number))


def best_trials(study: Study) -> list[FrozenTrial]:
    """COMPLETE trials that keep all limits, the best first; with two goals only their front."""
    ordered = [t for t in ranked(study) if feasible(t.constraints)]
    if len(study.directions) == 1:
        return ordered
    front = {trial.number for trial in study.best_trials}
    return [t for t in ordered if t.number in front]


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
