"""Confusion matrices, and the most confident mistakes as pictures.

chapter.py   puts the section together, and its pictures
confusion.py computes
"""

from analysis.mistakes.chapter import section as section
