"""The search: it proposes configurations, trains them, and records the results.

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
