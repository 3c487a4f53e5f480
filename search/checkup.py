"""Three stores, one truth: Optuna's studies, MLflow's runs and the files of trials, compared.

Optuna says how a trial ended. MLflow must have one run for each trial that started, which says the
same; on the disk nothing may be left of a trial that ended. A study that is being searched is left
alone: whoever holds its lock is at work on all three.
"""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.storages import RDBStorage

from search import checkpoints, recovery, study as studies, tracking
from search.errors import FAILED, UserError
from search.finals.cells import Shelf
from search.pipeline import METRIC, experiment_name, load_pipeline, pipeline_names
from search.recorder import Recorder
from search.tracking import RunView

RUN_ID = re.compile("[0-9a-f]{32}")
OF_THE_STUDY = ("pipeline", "study", "data", "data_fingerprint", "uses_labels")
Mend = Callable[[], None]


@dataclass(frozen=True)
class Finding:
    """A disagreement.

    Attributes:
        subject: the study, or the experiment.
        store: where it shows: Optuna, MLflow or disk.
        what: in a line.
        mend: puts it right; None where only a person can.
    """

    subject: str
    store: str
    what: str
    mend: Mend | None


class Checkup:
    """Looks through everything under a folder; what it finds can be mended while it is held.

    Args:
        home: the folder of all stores.
        store: MLflow.

    Attributes:
        busy: studies that are being searched, which were left out.
    """

    def __init__(self, home: Path, store: tracking.Store) -> None:
        self._home = home
        self._store = store
        self._locks = ExitStack()
        self.busy: list[str] = []

    def __enter__(self) -> Checkup:
        return self

    def __exit__(self, *unused: object) -> None:
        self._locks.close()

    def findings(self) -> list[Finding]:
        """Everything that is not as it should be."""
        found: list[Finding] = []
        storage = studies.open_storage(self._home) if studies.exist(self._home) else None
        names = studies.study_names(storage) if storage else []
        for name in names:
            if storage and self._hold(name):
                found += self._study(storage, name)
        found += self._runs_without_a_study(set(names))
        found += self._trainings_for_numbers()
        found += self._files_without_a_run()
        return found

    def _hold(self, name: str) -> bool:
        """Lock the study until the end, unless somebody searches it."""
        try:
            self._locks.enter_context(studies.lock(self._home / "studies" / name, name))
        except UserError:
            self.busy.append(name)
            return False
        return True

    def _study(self, storage: RDBStorage, name: str) -> Iterator[Finding]:
        study = optuna.load_study(storage=storage, study_name=name)
        for trial in studies.running(study):
            requeue = functools.partial(studies.requeue, study, trial._trial_id)
            yield Finding(
                name, "Optuna", f"trial {trial.number} is RUNNING, its driver died", requeue
            )
        ray_folder = self._home / "ray" / name
        if ray_folder.exists():
            remove = functools.partial(shutil.rmtree, ray_folder, ignore_errors=True)
            yield Finding(name, "disk", "Ray's own state of a search that is over", remove)
        folder = self._home / "studies" / name / checkpoints.TRIALS
        experiment, parent = self._parent(study)
        if parent is None:
            started = any(studies.CONFIG in t.user_attrs for t in study.get_trials(deepcopy=False))
            if started:
                yield Finding(name, "MLflow", "has no run of this study: go on with --resume", None)
            return
        if parent.status == "RUNNING":
            end = functools.partial(self._store.end_run, parent.run_id, "KILLED")
            yield Finding(name, "MLflow", "the study's run is RUNNING, its driver died", end)
        yield from self._trials(study, experiment, parent, folder)

    def _parent(self, study: optuna.Study) -> tuple[str, RunView | None]:
        identity = study.user_attrs.get(studies.IDENTITY, {})
        mini = identity.get("data") == "mini"
        named = experiment_name(str(identity.get("pipeline")), mini=mini)
        experiment = self._store.find_experiment(named)
        if experiment is None:
            return "", None
        runs = self._store.runs(experiment, most=1, kind="study", study=study.study_name)
        return experiment, runs[0] if runs else None

    def _trials(
        self, study: optuna.Study, experiment: str, parent: RunView, folder: Path
    ) -> Iterator[Finding]:
        name = study.study_name
        kept: dict[str, RunView] = {}
        for run in self._store.runs(experiment, parent=parent.run_id, kind="trial"):
            trial_id = run.tags["trial_id"]
            if trial_id in kept:  # the newest comes first and is the one that was gone on with
                what = f"trial {run.tags['trial_number']} has two runs, this is {run.run_id[:8]}"
                yield Finding(name, "MLflow", what, self._delete(run))
            else:
                kept[trial_id] = run
        started = {
            trial.user_attrs[studies.CONFIG]["trial_id"]
            for trial in study.get_trials(deepcopy=False)
            if studies.CONFIG in trial.user_attrs
        }
        for trial_id in kept.keys() - started:
            run = kept.pop(trial_id)
            what = f"run {run.run_id[:8]} is of a trial that Optuna does not know"
            yield Finding(name, "MLflow", what, self._delete(run))
        mend = _once(functools.partial(self._recover, study, experiment, parent, kept, folder))
        unlike = recovery.differences(study, kept)
        for one in unlike:
            said = one.run.tags.get("trial_state", one.run.status) if one.run else "nothing"
            what = f"trial {one.trial.number} is {one.wanted}, MLflow says {said}"
            yield Finding(name, "MLflow", what, mend)
        told = {one.config.trial_id for one in unlike}
        for left in recovery.leftovers(study, folder):
            if left.name not in told:
                what = f"{left.name} is left of a trial that is over"
                yield Finding(name, "disk", what, functools.partial(shutil.rmtree, left))

    def _delete(self, run: RunView) -> Mend:
        return functools.partial(self._store.delete_run, run.run_id)

    def _recover(
        self,
        study: optuna.Study,
        experiment: str,
        parent: RunView,
        runs: Mapping[str, RunView],
        folder: Path,
    ) -> None:
        pipeline = parent.tags["pipeline"]
        metric = load_pipeline(pipeline).metric if pipeline in pipeline_names() else METRIC
        recorder = Recorder(
            self._store,
            experiment_id=experiment,
            parent=parent.run_id,
            tags={
                tag: value
                for tag, value in parent.tags.items()
                if tag in OF_THE_STUDY or tag.startswith("mlflow.source.git")
            },
            params={"train_size": parent.params.get("train_size", "")},
            folder=folder,
            runs=runs,
        )
        recovery.recover(study, runs, recorder, metric=metric, folder=folder)
        recorder.close()
        if recorder.failures or recorder.undelivered:
            raise UserError(
                f"MLflow did not take {recorder.failures + recorder.undelivered} records of "
                f"{study.study_name!r}\ncall again once {self._store.shown} answers",
                status=FAILED,
            )

    def _runs_without_a_study(self, known: set[str]) -> Iterator[Finding]:
        for name, experiment in self._store.experiments().items():
            if name.removesuffix("-mini") not in pipeline_names():
                continue
            for run in self._store.runs(experiment, kind="study"):
                study = run.tags.get("study", "")
                if study not in known:
                    what = f"run {run.run_id[:8]} in {name}: Optuna does not know this study"
                    yield Finding(study, "MLflow", what, None)

    def _trainings_for_numbers(self) -> Iterator[Finding]:
        """Runs of `rerun.py` and `sweep.py`, one of which at most is at work at a time."""
        try:
            self._locks.enter_context(Shelf(self._home / "finals").locked())
        except UserError:
            self.busy.append("a rerun or sweep")
            return
        for name, experiment in self._store.experiments().items():
            for run in self._store.runs(experiment):
                if run.status == "RUNNING" and run.tags.get("kind") not in (None, "study", "trial"):
                    end = functools.partial(self._store.end_run, run.run_id, "KILLED")
                    what = f"{run.tags['kind']} run {run.run_id[:8]} is RUNNING, its driver died"
                    yield Finding(name, "MLflow", what, end)

    def _files_without_a_run(self) -> Iterator[Finding]:
        for name, experiment in self._store.experiments().items():
            folder = self._store.artifact_folder(experiment)
            if folder is None:
                continue
            runs = self._store.run_ids(experiment)
            for left in sorted(folder.iterdir()):
                if RUN_ID.fullmatch(left.name) and left.name not in runs:
                    remove = functools.partial(shutil.rmtree, left)
                    yield Finding(name, "disk", f"artifacts of no run: {left.name[:8]}", remove)


def _once(work: Mend) -> Mend:
    """Does it the first time only: several findings share it."""
    done = False

    def mend() -> None:
        nonlocal done
        if not done:
            done = True
            work()

    return mend
