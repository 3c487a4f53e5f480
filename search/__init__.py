"""The search: it proposes configurations, trains them, and records the results.

    api.py         the same from Python: `search.run(...)`
    tune.py        searches; rerun.py makes final numbers; sweep.py compares settings
    doctor.py      compares all records; champions.py loads a champion

    pipelines/     a file each; spaces/ the definition of a pipeline, and its search space
    trials/        one configuration trained once
    study/         Optuna; cluster/ Ray; tracking/ MLflow; files/ the files on the disk
    cli/           the shared parts of the commands
    tuning/        the steps of tune.py
    cells/         trainings named by their content; finals/ the steps of rerun.py;
                   grids/ those of sweep.py; sweeps/ a file each

A package may import those that its `__init__.py` names; docs/architecture.md draws them. May import
trainers/ and models/; never analysis/.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.api import Final, Study, Trial, run

__all__ = ["Final", "Study", "Trial", "run"]


def __getattr__(name: str) -> Any:
    """What `api.py` has: Optuna and Ray are imported when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from search.cli import notebook

    notebook.decline_widgets()
    from search import api

    return getattr(api, name)
