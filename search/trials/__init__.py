"""One configuration trained once: its checkpoint, and how it ended. No Ray, Optuna or MLflow.

    config.py      what a worker receives
    trial.py       trains and measures it
    process.py     a process that trains one after the other, with checkpoint.py between epochs
    outcome.py     how it ended, and who is told

May import spaces and files.
"""
