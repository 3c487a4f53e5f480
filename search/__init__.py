"""The search: which configurations are tried, where they run, what is recorded.

    tune.py        the command that searches; rerun.py the one that makes final numbers
    arguments.py   what the commands share
    pipeline.py    what a pipeline is; pipelines/ holds one file each; recipes.py builds them
    spaces.py      fixing, narrowing, checking and drawing parameters
    study.py       the Optuna study; proposals.py lets Ray ask it and tells it the truth
    trial.py       one configuration trained once; worker.py runs it inside Ray
    ray_run.py     Ray Tune at work; outcomes.py how a trial ended, and who is told
    resources.py   what this machine offers; cluster.py starts Ray on it
    nodes.py       looks at the nodes of a cluster that is joined
    tracking.py    MLflow (the only module that imports it); tracking_address.py where it is
    recorder.py    writes trials into MLflow
    database.py    SQLite files that several drivers may want to make; bounded_tpe.py the sampler
    ledger.py      a study in memory and in its database
    checkpoints.py what a broken trial goes on from; recovery.py what a broken driver left undone
    checkup.py     compares all records, for doctor.py; faults.py breaks searches, for tests
    display.py     what the terminal shows; plots.py the interactive pictures
    study_run.py   the study's own run; run_table.py what MLflow's table shows first
    summary.py     the words before and after; listing.py `--list`
    plan.py        every option checked before anything is made; survey.py what a trial takes
    driver.py      from options to a search; forecast.py and replay.py are its sisters
    session.py     a search, its parts put together; rungs.py when trials are compared
    finals/        final numbers: champions, baselines, the test set, comparisons
    champions.py   loads a champion; rebuild.py makes a network from its description

May import trainers/ and models/, ray, optuna, mlflow and rich; never analysis/.
"""
