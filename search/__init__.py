"""The search: which configurations are tried, where they run, what is recorded.

    tune.py        the command; arguments.py its options
    pipeline.py    what a pipeline is; pipelines/ holds one file each; recipes.py builds them
    spaces.py      fixing, narrowing, checking and drawing parameters
    study.py       the Optuna study; proposals.py lets Ray ask it and tells it the truth
    trial.py       one configuration trained once; worker.py runs it inside Ray
    resources.py   what this machine offers; cluster.py starts Ray on it
    tracking.py    MLflow (the only module that imports it); recorder.py writes trials into it
    display.py     what the terminal shows; plots.py the interactive pictures
    study_run.py   the study's own run; run_table.py what MLflow's table shows first
    summary.py     the words before and after; listing.py `--list`
    plan.py        every option checked before anything is made; gpu_memory.py a trial's share
    driver.py      puts the parts together; forecast.py and replay.py are its sisters

May import trainers/ and models/, ray, optuna, mlflow and rich; never analysis/.
"""
