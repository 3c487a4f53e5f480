"""The champions beside baselines and ablations, and what the paired tests say.

chapter.py      the section: tables and text
accuracies.py   the bars
verdicts.py     words computed from the tests
"""

from analysis.summary.chapter import section as section
