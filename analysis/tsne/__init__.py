"""Latents and images in the plane, and measures that no projection can fake.

chapter.py        the section
views.py          computes what it shows
embedding.py      t-SNE or PCA
figures.py        draws
separation.py     silhouette, nearest neighbours, scatter: where the points really lie
words.py          answers from these, latents against images, method against method
"""

from analysis.tsne.chapter import section as section
