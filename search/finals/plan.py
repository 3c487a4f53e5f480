"""From the options of `rerun.py` to a settled plan: everything that can be wrong is found here."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from search.cells.cell import Cell, Kind
from search.cells.plan import CellPlan, final_seeds
from search.cli.images import label, load_images, words_of
from search.cluster.allocation import plan_resources
from search.errors import Failure, without_secrets
from search.files.home import HOME
from search.finals.candidates import (
    Candidate,
    best_of_random_search,
    change,
    choose,
    complete_trials,
    read_config,
)
from search.spaces.pipeline import Pipeline, Scalar, experiment_name, load_pipeline
from search.tracking import provenance
from search.tracking.address import probe, resolve_uri
from search.tracking.store import RunView, Store, open_existing
from trainers.data import TrainingData


class NothingToRerun(Failure):
    """The pipeline has no finished study: skipped under `all`, an error alone."""


@dataclass(frozen=True, kw_only=True)
class FinalPlan(CellPlan):
    """A rerun of one pipeline, settled.

    Attributes:
        candidates: the configurations, the most promising first.
        budgets: epochs of each candidate.
        data: train and validation images, whole.
        settings: what `--set` changed of the candidates, word by word.
        without: rows of the table that are not trained: `ablation`, `defaults`, `random`.
        random_search: study of a candidate -> the best of the random search that took as long.
        notices: what the user should know of how this was settled.
        command: what makes the same again.
    """

    pipeline: Pipeline
    candidates: tuple[Candidate, ...]
    budgets: tuple[int, ...]
    data: TrainingData
    settings: tuple[str, ...]
    without: tuple[str, ...]
    notices: tuple[str, ...]
    command: str = ""
    random_search: Mapping[str, Candidate] = field(default_factory=dict)

    @property
    def mini(self) -> bool:
        return self.data.source == "mini"

    @property
    def experiment(self) -> str:
        """MLflow's experiment, and the registered model's name."""
        return experiment_name(self.name, self.data.label)

    @property
    def id(self) -> str:
        cells = sorted(cell.id for cell in self.final_cells())
        return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:12]

    def cells(
        self, kind: Kind, params: Mapping[str, Scalar] | None = None, epochs: int = 0
    ) -> list[Cell]:
        """A row of the table: one cell a seed."""
        return self.row(self.data, kind, self.name, params or {}, epochs)

    def candidate_cells(self, index: int) -> list[Cell]:
        """The trainings of one candidate."""
        return self.cells("trained", self.candidates[index].params, self.budgets[index])

    def final_cells(self) -> list[Cell]:
        """The trainings of all candidates."""
        return [cell for i in range(len(self.candidates)) for cell in self.candidate_cells(i)]


def open_store(options: Namespace) -> Store:
    """The store that the searches were written to; for `--config` a new one where there is none.

    Raises:
        UserError: there is none, or nothing answers.
    """
    uri = resolve_uri(options.tracking_uri, HOME.absolute())
    if options.config:
        read_config(options.config, options.pipeline, load_pipeline(options.pipeline))
        probe(uri)
        return Store(uri)
    return open_existing(uri)


def make_plan(options: Namespace, name: str, store: Store) -> FinalPlan:
    """Check every option, choose the candidates and load the data.

    Raises:
        NothingToRerun: the pipeline has no complete trial.
        UserError, DataError: an option or the data is wrong; the message says how to fix it.
    """
    options, trials, notices = _which_trials(options, name, store)
    pipeline, data = load_images(options, load_pipeline(name))
    candidates = choose(options, store, trials, name=name, pipeline=pipeline, data=data)
    random_search = {}
    for study in {c.study: None for c in candidates if c.study and "random" not in options.without}:
        found = best_of_random_search(store, trials, study, pipeline)
        if found:
            random_search[study] = found
        else:
            notices += _why_no_random_search(store, name, study, data, words_of(options))
    candidates = change(candidates, pipeline, options.set)
    budgets = tuple(options.epochs or c.epochs or pipeline.epochs for c in candidates)
    if len(candidates) < options.top and not (options.config or options.trial):
        notices.append(
            f"--top {options.top}: only {len(candidates)} complete configurations to choose from"
        )
    return FinalPlan(
        name=name,
        pipeline=pipeline,
        candidates=tuple(candidates),
        budgets=budgets,
        seeds=final_seeds(options.seed, options.seeds),
        data=data,
        data_dir=options.data_dir,
        resources=plan_resources(options, name, pipeline.space, pipeline.defaults, data.spec),
        address=options.address,
        settings=tuple(options.set),
        without=options.without,
        home=HOME.absolute(),
        tracking_uri=store.uri,
        quiet=options.quiet,
        notices=tuple(notices),
        command=_command(options, name),
        random_search=random_search,
    )


def _why_no_random_search(
    store: Store, name: str, study: str, data: TrainingData, data_words: Sequence[str]
) -> list[str]:
    """A sentence, with the command that makes the study's twin; none for a twin itself."""
    experiment = experiment_name(name, data.label)
    runs = store.runs_of(experiment, kind="study", study=study)
    if not runs or provenance.TWIN_OF in runs[0].tags:
        return []
    if store.runs_of(experiment, kind="study", twin_of=study):
        return [f"the random search that took as long as {study} has completed no trial"]
    states = ("complete", "pruned", "fail")
    ended = sum(runs[0].metrics.get(f"trials/{state}", 0) for state in states)
    more = ["--resume", "--baseline", "random", *data_words]
    command = provenance.search_command(
        runs[0].tags, runs[0].params, trials=max(1, int(ended)), images=len(data.train), more=more
    )
    return [f"{study} has no random search to be measured against; to make it: {command}"]


def _command(options: Namespace, name: str) -> str:
    words = [re.sub("^(--pipeline=|)all$", rf"\1{name}", word) for word in options.arguments]
    given = any(word.partition("=")[0] == "--data" for word in words)
    stand_in = ["--data", "mini"] * (options.data == "mini" and not given)
    return without_secrets(shlex.join(["python", "search/rerun.py", *words, *stand_in]))


def _which_trials(
    options: Namespace, name: str, store: Store
) -> tuple[Namespace, list[RunView], list[str]]:
    """The trials on the data that is asked for; mini ones if nothing is, and they are all there is.

    Returns the options too, with the data that is chosen.
    """
    trials = complete_trials(store, experiment_name(name, label(options)))
    if trials or options.config:
        return options, trials, []
    trials = [] if options.data else complete_trials(store, experiment_name(name, "mini"))
    if not trials:
        words = shlex.join(["--pipeline", name, *words_of(options), "--trials", "20"])
        raise NothingToRerun(
            f"{name} has no finished study\nsearch first: python search/tune.py {words}"
        )
    if options.data_dir:
        raise NothingToRerun(
            f"{name} was searched on stand-in data only, but --data-dir was given\n"
            "leave it out, or search on the real data first"
        )
    stand_in = Namespace(**{**vars(options), "data": "mini"})
    return stand_in, trials, [f"{name} was searched on stand-in data only, and so is this"]
