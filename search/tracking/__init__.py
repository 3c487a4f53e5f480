"""All of MLflow: the store, its address, its records, their repair and their views.

May import study, cluster, trials, spaces and files.
"""
