"""Trainings behind final numbers, named by their content, which rerun and sweep share.

May import tracking, cluster, cli, trials, spaces and files.
"""
