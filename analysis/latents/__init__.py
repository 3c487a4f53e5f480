"""Structure of the latent space, before and after training.

from analysis import latents
latents.effective_rank(z), latents.uniformity(z), latents.alignment(first, second)

chapter.py     the section
structure.py   measures
figures.py     draws
words.py       says what was measured
"""

from analysis.latents.chapter import section
from analysis.latents.figures import draw_plane, draw_spectrum, plane_figure, spectrum_figure
from analysis.latents.structure import (
    Structure,
    compute_structures,
    measure,
    two_views,
    untrained_encoder,
)
from trainers.measures.structure import (
    alignment,
    correlation,
    effective_rank,
    normalised,
    pair_distance,
    spectrum,
    uniformity,
)

__all__ = [
    "Structure",
    "alignment",
    "compute_structures",
    "correlation",
    "draw_plane",
    "draw_spectrum",
    "effective_rank",
    "measure",
    "normalised",
    "pair_distance",
    "plane_figure",
    "section",
    "spectrum",
    "spectrum_figure",
    "two_views",
    "uniformity",
    "untrained_encoder",
]
