"""From the options to a search: what can be refused comes first, and soon.

Ray Tune and MLflow take seconds to import; nothing here needs them.
"""

from __future__ import annotations

import time
from argparse import Namespace

from search import nodes, study as studies
from search.home import check_disk
from search.plan import settle


def run(options: Namespace) -> int:
    """Search as the options say; returns the exit status."""
    began = time.monotonic()
    plan = settle(options)
    # What can still be refused comes before anything is made.
    known = studies.open_storage(plan.home) if studies.exist(plan.home) else None
    name, exists = plan.choose_study(known)
    check_disk(plan.home)
    if plan.address:
        nodes.check(plan.address, plan.home, plan.data, plan.resources)
    from search.session import search

    return search(plan, name, exists, known, began)
