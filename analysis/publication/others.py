"""Where others stand: known test accuracies beside which the results stand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Others:
    """Test accuracies of others, in words.

    Attributes:
        pipeline: the one that they compare with.
        assignment: published solutions of the same assignment.
        nearby: the best known with encoders of about this size, or beyond.
    """

    pipeline: str
    assignment: str
    nearby: str


OTHERS = (
    Others(
        pipeline="mnist_autoencoder",
        assignment="96 to 97.4 %",
        nearby="shallow unsupervised features 99.3 to 99.4 % (SoftHebb, Sparse Manifold Transform)",
    ),
    Others(
        pipeline="mnist_supervised",
        assignment="99.0 to 99.4 %",
        nearby="99.87 % with three nets voting",
    ),
    Others(
        pipeline="mnist_contrastive",
        assignment="96.8 to 97 %",
        nearby="99.3 % without labels (IIC)",
    ),
    Others(
        pipeline="cifar_autoencoder",
        assignment="55 to 63 %",
        nearby="plain autoencoders 40 to 50 % linear; masked ViT autoencoder 49 %; shallow "
        "unsupervised features near 80 %",
    ),
    Others(
        pipeline="cifar_supervised",
        assignment="82 to 85 %",
        nearby="94 % in 2.6 s on one A100 (airbench, seven convolutions, with test-time "
        "augmentation)",
    ),
    Others(
        pipeline="cifar_contrastive",
        assignment="72 to 75 %",
        nearby="small convolutional net with SimCLR 72 %; ResNet-18 with SimCLR 90.7 %, SupCon "
        "93.8 % (1,000 epochs, 512 dimensions)",
    ),
)
