"""Where others stand: known test accuracies beside which the results stand."""

from __future__ import annotations

from typing import NamedTuple


class Others(NamedTuple):
    """Test accuracies of others, in words.

    Attributes:
        pipeline: the one that they compare with.
        assignment: published solutions of the same assignment.
        nearby: the best known with encoders of about this size, or beyond.
    """

    pipeline: str
    assignment: str
    nearby: str


SHALLOW = "shallow unsupervised features 99.3 to 99.4 % (SoftHebb, Sparse Manifold Transform)"
PLAIN = (
    "plain autoencoders 40 to 50 % linear; masked ViT autoencoder 49 %; shallow unsupervised "
    "features near 80 %"
)
AIRBENCH = "94 % in 2.6 s on one A100 (airbench, seven convolutions, with test-time augmentation)"
SIMCLR = (
    "small convolutional net with SimCLR 72 %; ResNet-18 with SimCLR 90.7 %, SupCon 93.8 % (1,000 "
    "epochs, 512 dimensions)"
)
OTHERS = (
    Others("mnist_autoencoder", "96 to 97.4 %", SHALLOW),
    Others("mnist_supervised", "99.0 to 99.4 %", "99.87 % with three nets voting"),
    Others("mnist_contrastive", "96.8 to 97 %", "99.3 % without labels (IIC)"),
    Others("cifar_autoencoder", "55 to 63 %", PLAIN),
    Others("cifar_supervised", "82 to 85 %", AIRBENCH),
    Others("cifar_contrastive", "72 to 75 %", SIMCLR),
)
