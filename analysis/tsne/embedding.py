"""Points of many dimensions in the plane, by t-SNE or PCA."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

PERPLEXITY = 30.0  # roughly how many neighbours each point minds; of fewer than 91 points less
COMPONENTS = 50  # of the PCA before t-SNE, as van der Maaten and Hinton (2008, section 4) advise
NAMES = {"tsne": "t-SNE", "pca": "PCA"}


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """Points in the plane.

    Attributes:
        plane: (N, 2) float32; the unit of the axes means nothing but for PCA.
        method: `tsne` or `pca`.
        perplexity: of t-SNE, else None.
        components: of the PCA before it, else None.
    """

    plane: np.ndarray
    method: str
    perplexity: float | None
    components: int | None

    def __len__(self) -> int:
        return len(self.plane)

    @property
    def settings(self) -> str:
        """In words."""
        name = NAMES[self.method]
        if self.method != "tsne":
            return name
        return f"{name}, perplexity {self.perplexity:g}, after PCA to {self.components}"


def embed(latents: np.ndarray, *, seed: int = 0, method: str = "tsne") -> Embedding:
    """Points in the plane; the same for the same numbers and seed.

    Args:
        latents: (N, ...) anything with N rows: latents (N, D), images (N, C, H, W).
        seed: of t-SNE and of the randomised PCA before it.
        method: `tsne` or `pca`.

    Raises:
        ValueError: fewer than five points, or no such method.
    """
    flat = np.asarray(latents, dtype=np.float32).reshape(len(latents), -1)
    if len(flat) < 5:
        raise ValueError(f"{len(flat)} points are too few to draw; give five or more")
    if method not in NAMES:
        raise ValueError(f"no method {method!r}; there are: {', '.join(NAMES)}")
    perplexity = min(PERPLEXITY, (len(flat) - 1) / 3)
    kept = 2 if method == "pca" else min(COMPONENTS, *flat.shape)
    reduced = PCA(kept, random_state=seed).fit_transform(flat)
    if method == "tsne":
        # Beginning from the two main axes makes it keep the large structure and need no luck
        # (Kobak and Linderman, 2021).
        tsne = TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
        plane = tsne.fit_transform(reduced)
    else:
        plane = reduced
    return Embedding(
        plane=np.asarray(plane, dtype=np.float32),
        method=method,
        perplexity=perplexity if method == "tsne" else None,
        components=kept if method == "tsne" else None,
    )
