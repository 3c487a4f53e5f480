"""All of Optuna: storage, samplers, the study in memory, the trials it proposes, its plots.

May import trials, spaces and files.
"""
