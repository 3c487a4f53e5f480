"""The searches.

chapter.py             the section
trials.py              best value and learning curves, with pruned and failed trials
parameters.py          importance and slices; drawn by parameter_figures.py
selection.py           what the search brought, and the optimism of choosing the best of many
budget.py              trials, epochs and hours of each pipeline
rank_transfer.py       whether the order of a short search holds in long training
"""

from analysis.history.chapter import section as section
