"""Why each pipeline is built and tuned as it is.

chapter.py        the section
architecture.py   draws a network with its shapes
references.py     the literature, cited where it is needed
"""

from analysis.reasoning.chapter import section as section
