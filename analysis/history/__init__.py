"""The searches.

chapter.py             the section
trials.py              best value and learning curves, with pruned and failed trials
parameters.py          importance, slices, parallel coordinates; drawn by parameter_figures.py
tuning.py              what tuning brought against the defaults
selection.py           the optimism of choosing the best of many
budget.py              trials, epochs and hours of each pipeline
rank_transfer.py       whether the order of a short search holds in long training
"""

from analysis.history.chapter import section as section
