"""Final numbers: the best configurations trained again, the test set read once, the comparisons.

    candidates.py   which configurations: the best trials of the studies in MLflow
    plan.py         every option checked before anything is made
    driver.py       rerun.py's steps from its options to its last line
    session.py      one pipeline: train, choose, then open the test set
    results.py      the rows of a pipeline's table; screen.py shows them
    by_dataset.py   the comparisons of a data set; comparisons.py has their words
    best_rerun.py   which of the finished reruns holds the champion
    records.py      the rerun's runs in MLflow

May import cells, tracking, cluster, cli, trials, spaces and files.
"""
