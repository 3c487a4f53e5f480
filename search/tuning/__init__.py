"""The steps of tune.py.

May import all packages except cells, finals and grids.
"""
