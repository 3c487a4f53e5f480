"""Run a search from the options: all checks come first, and they are fast.

What takes seconds is begun after them, side by side: Ray starts, MLflow is imported and its store
opened.
"""

from __future__ import annotations

import time
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from search.cli.signals import StopOnSignal
from search.cluster import nodes, profile_trial, ray_session
from search.files.home import check_disk
from search.study import plots, study as studies
from search.study.storage import RDBStorage, load_study, open_storage, studies_exist, study_names
from search.tracking.database import check_local
from search.tracking.store import Store
from search.tuning.plan import Plan, make_plan
from search.tuning.stopping import Enough

if TYPE_CHECKING:
    from search.tuning.session import Ended


def search(options: Namespace) -> Ended:
    """Search as the options say; of a study with a twin, the study and both their ends."""
    plan = make_plan(options)
    ended = _search(plan)
    if plan.baseline and ended.status == 0:
        twin = _search(plan.twin(ended.study, ended.seconds))
        return replace(ended, status=twin.status, troubles=twin.troubles)
    return ended


def _search(plan: Plan) -> Ended:
    began = time.monotonic()
    # The remaining checks come before the search creates anything.
    known = open_storage(plan.home) if studies_exist(plan.home) else None
    name = plan.choose_study(known)
    check_disk(plan.home)
    check_local(plan.tracking_uri)
    trials_left = _trials_left(plan, known, name)
    if plan.address:
        nodes.check(plan.address, plan.home, plan.data, plan.resources)
    else:
        profile_trial.remember(plan.home, plan.resources)
    with StopOnSignal() as stop, ThreadPoolExecutor(1) as beside, ExitStack() as ray:
        # Two threads never import the same packages: their circular imports allow one only.
        opening = beside.submit(Store, plan.tracking_uri)
        if trials_left:
            ray.enter_context(
                ray_session.running(plan.resources, plan.data, plan.address, stop.listen)
            )
        from search.tuning import session

        store = opening.result()
        if stop.event.is_set():
            raise KeyboardInterrupt
        beside.submit(plots.prepare)  # while the first workers start
        return session.search(plan, name, known, store, stop, ray, began)


def _trials_left(plan: Plan, known: RDBStorage | None, name: str | None) -> bool:
    if known is None or name is None or name not in study_names(known):
        return True
    study = load_study(known, name)
    studies.check_identity(study, plan.identity, accept_source=plan.accept_source)
    if Enough(plan, studies.trained(study)).reason:
        return False
    return plan.twin_of is not None or sum(studies.counts(study).values()) < plan.trials
