"""Trains and measures the grids that `search/sweeps/` holds, a file each.

    sweep.py      what a sweep is, and how it is found
    plan.py       from options to a settled grid of cells; forecast.py says how long it takes
    driver.py     sweep.py's steps from its options to its last line
    session.py    one sweep: train, read the test set, measure, answer
    measuring.py  a sweep's own measure over its trainings
    results.py    the numbers of a finished grid; trend.py reads them, screen.py shows them
    records.py    a sweep in MLflow

May import cells, tracking, cluster, cli, trials, spaces and files.
"""
