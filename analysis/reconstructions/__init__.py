"""Test images beside what the decoder makes of them, and their errors.

chapter.py   puts the section together
errors.py    computes
figures.py   draws
"""

from analysis.reconstructions.chapter import section as section
