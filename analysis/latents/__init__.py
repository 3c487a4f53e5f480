"""Structure of the latent space, before and after training.

chapter.py     the section, and its pictures
structure.py   measures
"""

from analysis.latents.chapter import section as section
