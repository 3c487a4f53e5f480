"""Images of your own, contrastive: SimCLR without labels, then classify from the frozen latent."""

from dataclasses import replace

from search.pipelines.cifar_contrastive import PIPELINE as CIFAR

PIPELINE = replace(
    CIFAR,
    summary="contrast views of your images, no labels; classifier on the frozen latent",
    reasoning="""The CIFAR-10 pipeline for images of any size, grey or colour: whatever a crop, a
flip and other colours leave in common. Where such changes make another class of an image (colours
of flowers, sides of a body), the search will choose weak ones, or `--no-flip` forbids flips.""",
    dataset="",
)
