"""The goals, and where others stand: the two tables beside which the results stand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A test accuracy that one training is to reach.

    Attributes:
        pipeline: whose.
        accuracy: in percent, at least.
        seconds: at most, on 2 CPU cores; None where the goal sets no time.
        gpu: the goal on one data-centre GPU, in words.
    """

    pipeline: str
    accuracy: float
    seconds: float | None
    gpu: str = ""


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


GOALS = (
    Goal(pipeline="mnist_autoencoder", accuracy=99.0, seconds=180, gpu="≥ 99.2 % in 10 s"),
    Goal(pipeline="mnist_supervised", accuracy=99.6, seconds=300, gpu="≥ 99.7 % in 10 s"),
    Goal(pipeline="mnist_supervised", accuracy=99.0, seconds=15),
    Goal(pipeline="mnist_contrastive", accuracy=99.2, seconds=300, gpu="≥ 99.4 % in 20 s"),
    Goal(pipeline="cifar_autoencoder", accuracy=64.0, seconds=1200, gpu="≥ 66 % in 2 min"),
    Goal(pipeline="cifar_masked_autoencoder", accuracy=67.0, seconds=None, gpu="≥ 72 %"),
    Goal(pipeline="cifar_supervised", accuracy=92.0, seconds=1200, gpu="≥ 95 % in 30 s"),
    Goal(pipeline="cifar_contrastive", accuracy=75.0, seconds=1800, gpu="≥ 90 % in 10 min"),
)
GPU_ONLY = (("mnist_supcon", "≥ 99.7 %"), ("cifar_supcon", "≥ 94 % in 3 min"))
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
