"""Compare three stores: Optuna's studies, MLflow's runs and the files of trials.

Optuna records how a trial ended. MLflow must have one run with the same state for each trial that
started, and the disk must hold no files of a trial that ended. The check skips a study that a
driver is searching, because that driver changes all three stores. It moves files to a trash and
does not delete them, and it moves only files inside this home.
"""

from __future__ import annotations

import functools
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

from search.errors import Failure, UserError
from search.files import locations, locks, seals
from search.spaces.goals import GOALS, LIMITS
from search.spaces.pipeline import experiment_name, of_experiment, pipeline_names
from search.study import study as studies
from search.study.storage import load_study, open_storage, studies_exist, study_names
from search.study.study import Study
from search.tracking import backfill, provenance
from search.tracking.recorder import Recorder
from search.tracking.store import RunView, Store
from search.trials import checkpoint
from search.trials.checkpoint import WEIGHTS

HOUR = 3600  # seconds; a process may still be writing younger files
FINALS = "a rerun or sweep"
RUN_ID = re.compile("[0-9a-f]{32}")
OF_THE_STUDY = (
    *("pipeline", "study", "data", "data_fingerprint", "protocol", "uses_labels"),
    *(provenance.SOURCE, provenance.TWIN_OF, GOALS, LIMITS),
)
Fix = Callable[[], None]


@dataclass(frozen=True)
class Inconsistency:
    """A disagreement between the stores.

    Attributes:
        subject: the study, or the experiment.
        store: the store that shows it: Optuna, MLflow or disk.
        fix: a function that repairs it; None if only a person can.
    """

    subject: str
    store: str
    what: str
    fix: Fix | None


class ConsistencyCheck:
    """Checks all stores under a folder. Use it as a context manager: it holds their locks.

    Attributes:
        busy: the studies, or `FINALS`, that other processes hold; the check skips them.
        trash: the folder that received files, by their paths below `home`; None without files.
    """

    def __init__(self, home: Path, store: Store) -> None:
        self.home = home.resolve()
        self._store = store
        self._storage = open_storage(home) if studies_exist(home) else None
        self._locks = ExitStack()
        self._names: list[str] = []
        self.busy: list[str] = []
        self.trash: Path | None = None

    def __enter__(self) -> ConsistencyCheck:
        """Lock every study, and the cells of reruns and sweeps, unless another process does."""
        for name in self._studies():
            if self._hold(name, locks.lock_study(self.home, name)):
                self._names.append(name)
        self._hold(FINALS, locks.lock_cells(self.home))
        return self

    def __exit__(self, *unused: object) -> None:
        self._locks.close()

    def inconsistencies(self) -> Iterator[Inconsistency]:
        """Yield every disagreement; the caller fixes each, if at all, before it takes the next.

        While MLflow's locations are wrong the check looks at nothing else.
        """
        file = self._store.file
        if file:
            for then in locations.former_folders(file):
                fix = None if self.busy else functools.partial(locations.correct, file)
                what = f"was moved or copied, but it still names {then} for its artifacts"
                yield Inconsistency(file.name, "MLflow", what, fix)
            if locations.former_folders(file):
                return
        for name in self._names:
            yield from self._study(name)
        yield from self._runs_without_a_study()
        if FINALS not in self.busy:
            yield from self._trainings_for_numbers()
        if not self.busy:
            yield from self._files_without_a_run()

    def _studies(self) -> list[str]:
        return study_names(self._storage) if self._storage else []

    def _hold(self, name: str, lock: AbstractContextManager[None]) -> bool:
        """Lock until the end; returns whether no other process holds the lock."""
        try:
            self._locks.enter_context(lock)
        except UserError:
            self.busy.append(name)
            return False
        return True

    def _study(self, name: str) -> Iterator[Inconsistency]:
        assert self._storage
        study = load_study(self._storage, name)
        for trial in studies.running(study):
            requeue = functools.partial(studies.requeue, study, trial._trial_id)
            yield Inconsistency(
                name, "Optuna", f"trial {trial.number} is RUNNING, its driver died", requeue
            )
        ray_folder = self.home / "ray" / name
        if ray_folder.exists():
            remove = functools.partial(self.take_away, ray_folder)
            yield Inconsistency(name, "disk", "Ray's own state of a search that is over", remove)
        folder = self.home / "studies" / name / checkpoint.TRIALS
        experiment, parent = self._parent(study)
        if parent is None:
            started = any(studies.CONFIG in t.user_attrs for t in study.get_trials(deepcopy=False))
            if started:
                yield Inconsistency(
                    name, "MLflow", "has no run of this study: go on with --resume", None
                )
            return
        if parent.status == "RUNNING":
            end = functools.partial(self._store.end_run, parent.run_id, "KILLED")
            yield Inconsistency(name, "MLflow", "the study's run is RUNNING, its driver died", end)
        yield from self._trials(study, experiment, parent, folder)

    def _parent(self, study: Study) -> tuple[str, RunView | None]:
        identity = study.user_attrs.get(studies.IDENTITY, {})
        named = experiment_name(str(identity.get("pipeline")), str(identity.get("data")))
        experiment = self._store.find_experiment(named)
        if experiment is None:
            return "", None
        runs = self._store.runs(experiment, limit=1, kind="study", study=study.study_name)
        return experiment, runs[0] if runs else None

    def _trials(
        self, study: Study, experiment: str, parent: RunView, folder: Path
    ) -> Iterator[Inconsistency]:
        name = study.study_name
        kept: dict[str, RunView] = {}
        for run in self._store.runs(experiment, parent=parent.run_id, kind="trial"):
            trial_id = run.tags["trial_id"]
            if trial_id in kept:  # the newest run comes first, and its trial went on
                what = f"trial {run.tags['trial_number']} has two runs, this is {run.run_id[:8]}"
                yield Inconsistency(name, "MLflow", what, self._delete(run))
            else:
                kept[trial_id] = run
        started = {
            trial.user_attrs[studies.CONFIG]["trial_id"]
            for trial in study.get_trials(deepcopy=False)
            if studies.CONFIG in trial.user_attrs
        }
        for trial_id in kept.keys() - started:
            run = kept.pop(trial_id)
            what = f"run {run.run_id[:8]} belongs to a trial that Optuna does not know"
            yield Inconsistency(name, "MLflow", what, self._delete(run))
        # Several inconsistencies share this one, which works the first time only.
        recover = functools.partial(self._recover, study, experiment, parent, kept, folder)
        fix = functools.cache(recover)
        unlike = backfill.differences(study, kept)
        unlike_ids = {one.config.trial_id for one in unlike}
        for left in backfill.leftovers(study, folder):
            if left.name not in unlike_ids:  # before the others are fixed, which deletes the rest
                what = f"{left.name} is left from a trial that is over"
                yield Inconsistency(name, "disk", what, functools.partial(self.take_away, left))
        for one in unlike:
            tags, status = (one.run.tags, one.run.status) if one.run else ({}, "nothing")
            recorded = tags.get("trial_state", status)
            what = f"trial {one.trial.number} is {one.wanted}, MLflow says "
            yield Inconsistency(
                name, "MLflow", what + (status if recorded == one.wanted else recorded), fix
            )
        yield from self._weights(name, experiment, kept.values())

    def _weights(
        self, study: str, experiment: str, runs: Iterable[RunView]
    ) -> Iterator[Inconsistency]:
        """Yield the trials whose weights are not the trained ones; these cannot be recovered."""
        artifacts = self._store.artifact_folder(experiment)
        for run in runs:
            trained = run.tags.get(seals.WEIGHTS_TAG)
            if not (artifacts and trained):
                continue
            file = artifacts / run.run_id / "artifacts" / WEIGHTS
            if not file.is_file() or seals.file_hash(file) != trained:
                what = f"{WEIGHTS} of trial {run.tags['trial_number']} is missing or damaged"
                yield Inconsistency(study, "MLflow", what, None)

    def _delete(self, run: RunView) -> Fix:
        return functools.partial(self._store.delete_run, run.run_id)

    def _recover(
        self,
        study: Study,
        experiment: str,
        parent: RunView,
        runs: Mapping[str, RunView],
        folder: Path,
    ) -> None:
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
        backfill.recover(study, runs, recorder, folder=folder)
        recorder.close()
        if recorder.failures or recorder.undelivered:
            raise Failure(
                f"MLflow did not take {recorder.failures + recorder.undelivered} records of "
                f"{study.study_name!r}\ncall again once {self._store.shown} answers"
            )

    def _runs_without_a_study(self) -> Iterator[Inconsistency]:
        study_runs = [
            (name, run)
            for name, experiment in self._store.experiments().items()
            if of_experiment(name)[0] in pipeline_names()
            for run in self._store.runs(experiment, kind="study")
        ]
        known = self._studies()  # read after the runs: a search creates its study before its run
        for name, run in study_runs:
            study = run.tags.get("study", "")
            if study not in known:
                what = f"run {run.run_id[:8]} in {name}: Optuna does not know this study"
                yield Inconsistency(study, "MLflow", what, None)

    def _trainings_for_numbers(self) -> Iterator[Inconsistency]:
        """Runs that a dead driver of `rerun.py` or `sweep.py` left open.

        A home has at most one such driver at a time, and this check holds its lock.
        """
        ours = provenance.home_tag(self.home)[provenance.HOME_TAG]
        for name, experiment in self._store.experiments().items():
            for run in self._store.runs(experiment):
                if not self._store.file and run.tags.get(provenance.HOME_TAG) != ours:
                    continue  # on a server: a run of another home, whose driver may live
                if run.status == "RUNNING" and run.tags.get("kind") not in (None, "study", "trial"):
                    end = functools.partial(self._store.end_run, run.run_id, "KILLED")
                    what = f"{run.tags['kind']} run {run.run_id[:8]} is RUNNING, its driver died"
                    yield Inconsistency(name, "MLflow", what, end)

    def _files_without_a_run(self) -> Iterator[Inconsistency]:
        """Artifacts in this home, older than an hour, that no database beside them knows."""
        for name, experiment in self._store.experiments().items():
            folder = (self._store.artifact_folder(experiment) or Path("/")).resolve()
            if not folder.is_relative_to(self.home):
                continue
            there = [left for left in sorted(folder.iterdir()) if RUN_ID.fullmatch(left.name)]
            try:
                known = self._runs(experiment, folder)
            except UserError as error:
                yield Inconsistency(name, "disk", f"artifacts are not checked: {error}", None)
                continue
            for left in there:
                if left.name not in known and _age(left) > HOUR:
                    remove = functools.partial(self._take_away_artifacts, experiment, left)
                    yield Inconsistency(
                        name, "disk", f"artifacts of no run: {left.name[:8]}", remove
                    )

    def _runs(self, experiment: str, artifacts: Path) -> set[str]:
        """All runs whose artifacts may lie in the folder: several databases may share it."""
        beside = {
            self.home,
            artifacts.parents[1],
            *([self._store.file.parent] if self._store.file else []),
        }
        known = set() if self._store.file else self._store.run_ids(experiment)
        return known.union(*map(locations.known_runs, beside))

    def _take_away_artifacts(self, experiment: str, folder: Path) -> None:
        if folder.name not in self._runs(experiment, folder.parent):  # else it was restored
            self.take_away(folder)

    def take_away(self, path: Path) -> None:
        """Move a file or folder of this home to the trash."""
        if self.trash is None:
            trash = self.home / "trash"
            self.trash = trash / locks.claim(trash, time.strftime("%Y-%m-%d"))
        target = self.trash / path.relative_to(self.home)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)


def _age(folder: Path) -> float:
    """Seconds since the last change of anything in the folder."""
    return time.time() - max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
