"""Structure of the latent space, before and after training.

from analysis import latents
latents.effective_rank(z), latents.uniformity(z), latents.alignment(first, second)

chapter.py     the section
figures.py     draws
words.py       says what was measured
"""

from analysis.latents.chapter import (
    Structure,
    compute_structures,
    measure,
    section,
    two_views,
    untrained_encoder,
)
from analysis.latents.figures import draw_plane, draw_spectrum, plane_figure, spectrum_figure
from search.measures.structure import (
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
