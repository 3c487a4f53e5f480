"""The sweeps: every finished one with its figure, its numbers and its answer.

    chapter.py         the section: for each sweep the lines, what is particular to it, the answer
    lines.py           metrics against the sweep's axis
    depth.py           reconstructions of the best architecture
    interpolation.py   strips by latent size
    decorrelation.py   correlation matrices
    few_labels.py      accuracy against labels
    pca.py             latents in the plane, generated images, PCA twice
    plane.py           what these two share: scatters, decoded planes
    vae.py             samples, latents, the decoded plane

A sweep that needs no more than lines has no file here; one that has is found by its name.
"""

from analysis.sweeps.chapter import section as section
