"""Points of many dimensions in the plane, by t-SNE, PCA or UMAP."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from search.errors import UserError

PERPLEXITY = 30.0  # roughly how many neighbours each point minds; of fewer than 91 points less
COMPONENTS = 50  # of the PCA before t-SNE, as van der Maaten and Hinton (2008, section 4) advise
NAMES = {"tsne": "t-SNE", "pca": "PCA", "umap": "UMAP"}


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """Points in the plane.

    Attributes:
        plane: (N, 2) float32; the unit of the axes means nothing but for PCA.
        method: `tsne`, `pca` or `umap`.
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
        seed: of t-SNE and UMAP, and of the randomised PCA before them.
        method: `tsne`, `pca`, or `umap` where umap-learn is installed.

    Raises:
        UserError: umap-learn is asked for and not installed.
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
    elif method == "umap":
        near = min(15, len(flat) - 1)
        umap = require(method).UMAP(n_components=2, n_neighbors=near, random_state=seed)
        plane = umap.fit_transform(reduced)
    else:
        plane = reduced
    return Embedding(
        plane=np.asarray(plane, dtype=np.float32),
        method=method,
        perplexity=perplexity if method == "tsne" else None,
        components=kept if method == "tsne" else None,
    )


def require(method: str) -> Any:
    """UMAP's module, if `method` needs it.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module("umap") if method == "umap" else None
    except ImportError:
        raise UserError(
            "--embedding umap needs umap-learn, which is not installed\n"
            "pip install umap-learn, or leave the option out for t-SNE"
        ) from None
