"""Images of your own, supervised: encoder and classifier trained jointly on the labels."""

from dataclasses import replace

from search.pipelines.cifar_supervised import PIPELINE as CIFAR

PIPELINE = replace(
    CIFAR,
    summary="classify your images from the latent, encoder and classifier jointly",
    reasoning="""The CIFAR-10 pipeline for images of any size, grey or colour. Its defaults were
found on CIFAR-10, so that they are a place to start a search from and no more.""",
    dataset="",
)
