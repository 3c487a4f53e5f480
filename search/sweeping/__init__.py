"""Trains and measures the grids that `search/sweeps/` holds, a file each.

    sweep.py     what a sweep is, and how it is found
    plan.py      from options to a settled grid of cells
    outcome.py   the numbers of a finished grid, and how they are read off
    driver.py    trains, measures, records
    measuring.py a sweep's own measure over its trainings
    records.py   a sweep in MLflow
    table.py     what the user sees

Cells are those of `search/finals/`: what one sweep or rerun has trained, another need not.
"""
