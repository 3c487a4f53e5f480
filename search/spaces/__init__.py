"""The pipeline, its search space, and the methods that are built from flat parameters.

May import `search.errors`.
"""
