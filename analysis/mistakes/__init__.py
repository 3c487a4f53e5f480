"""Confusion matrices, and the most confident mistakes as pictures.

chapter.py   puts the section together, and its pictures
confusion.py computes
words.py     says what was measured
"""

from analysis.mistakes.chapter import section as section
