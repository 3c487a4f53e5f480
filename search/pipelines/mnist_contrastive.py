"""MNIST, contrastive: SimCLR without labels, then classify from the frozen latent."""

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.spaces.pipeline import Pipeline
from search.spaces.space import parameters

PIPELINE = Pipeline(
    summary="contrast views of MNIST digits, no labels; classifier on the frozen latent",
    reasoning="""SimCLR (Chen et al., 2020) with views made of rotations, shifts and scalings: what
is left in common is the digit's shape. Flips would make other signs of some digits. The loss is
taken behind a projection head that is thrown away, since the layer before it separates classes
better (their section 4.2). Without labels, views of the same digit class repel each other too:
the temperature sets how strongly. Patches side by side (as in ViT, Dosovitskiy et al., 2021) are
enough where strokes are thick: nine epochs of all images end at 99.2 % as with overlapping strided
convolutions, at 1.5 times as many images a second.""",
    dataset="mnist",
    uses_labels=False,
    **parameters(
        width=(IntDistribution(16, 48, step=16), 32),
        depth=(IntDistribution(3, 4), 3),
        block=(CategoricalDistribution(["strided", "patches"]), "patches"),
        projection=(CategoricalDistribution(["head", "none"]), "head"),
        temperature=(FloatDistribution(0.05, 1.0, log=True), 0.2),
        optimizer=(CategoricalDistribution(["adamw", "muon"]), "muon"),
        lr=(FloatDistribution(5e-4, 2e-2, log=True), 5e-3),
        weight_decay=(FloatDistribution(1e-4, 1e-1, log=True), 1e-2),
        batch_size=(CategoricalDistribution([256, 512, 1024]), 256),
        warmup=(FloatDistribution(0.0, 0.3), 0.1),
        augment_strength=(FloatDistribution(0.1, 1.0), 0.8),
    ),
    build="contrastive",
    ablation="reconstruction_only",
    epochs=9,
)
