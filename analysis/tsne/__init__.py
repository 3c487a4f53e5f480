"""Latents and images in the plane, and measures that no projection can fake.

from analysis import tsne
plane = tsne.embed(latents, "tsne", seed=0)  # (N, D) -> .points (N, 2)

chapter.py        the section
views.py          computes what it shows
embedding.py      t-SNE, PCA or UMAP
figures.py        draws
separation.py     silhouette, nearest neighbours, scatter: where the points really lie
contrast.py        latents against images, method against method
words.py          answers from these
"""

from analysis.tsne.chapter import section
from analysis.tsne.embedding import Embedding, embed, require
from analysis.tsne.figures import draw_embedding, views_figure
from analysis.tsne.separation import Separation, compute_separation
from analysis.tsne.views import Views, compute_views

__all__ = [
    "Embedding",
    "Separation",
    "Views",
    "compute_separation",
    "compute_views",
    "draw_embedding",
    "embed",
    "require",
    "section",
    "views_figure",
]
