"""Final numbers: the best configurations trained again, the test set read once, the comparison.

    candidates.py    which configurations: the best trials of the studies in MLflow
    plan.py          every option checked before anything is made
    cells.py         one set of weights for final numbers, named by all that determines it
    training.py      trains cells through Ray; baselines.py makes those that nobody trains
    measurement.py   the test set, which no other file of search/ can open
    comparisons.py   means, intervals, paired tests and the words for them
    results.py       the rows of a pipeline's table; table.py shows them
    finished.py      which of the finished reruns holds the champion
    records.py       the rerun's runs in MLflow, and the model registry
    driver.py        puts the parts together

May import the rest of search/, and is imported by the commands and analysis/ only.
"""
