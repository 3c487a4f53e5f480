"""Between two latents, decoded, and between the two images themselves.

chapter.py    puts the section together, and its pictures
measures.py   pairs, paths, and how much a step looks like a real image
words.py      answers from the measures
"""

from analysis.interpolation.chapter import section as section
