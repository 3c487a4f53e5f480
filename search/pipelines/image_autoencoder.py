"""Images of your own, autoencoder: reconstruct the image, then classify from the frozen latent."""

from dataclasses import replace

from search.pipelines.cifar_autoencoder import PIPELINE as CIFAR

PIPELINE = replace(
    CIFAR,
    summary="reconstruct your images; classifier on the frozen latent",
    reasoning="""The CIFAR-10 pipeline for images of any size, grey or colour. Final numbers hold
its pictures against those of PCA with as many numbers, which few images serve better. The weight of
brightness has no effect on grey images, and is not searched there.""",
    dataset="",
)
