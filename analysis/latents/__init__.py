"""Structure of the latent space, before and after training.

chapter.py     the section
structure.py   measures
figures.py     draws
words.py       says what was measured
"""

from analysis.latents.chapter import section

__all__ = ["section"]
