"""MNIST, fully connected autoencoder: the textbook's, beside the convolutional one. A variant."""

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.spaces.pipeline import Pipeline
from search.spaces.space import parameters

PIPELINE = Pipeline(
    summary="reconstruct MNIST digits with fully connected layers; classifier on the frozen latent",
    reasoning="""784-256-d-256-784 with ReLU and a sigmoid at the end, as in textbooks (Hinton and
Salakhutdinov, 2006). It knows nothing of neighbouring pixels: what the convolutional autoencoder
gains over it at equal size is what that knowledge is worth. Depth counts the hidden layers, width
their units.""",
    dataset="mnist",
    uses_labels=False,
    **parameters(
        width=(IntDistribution(128, 512, step=128), 256),
        depth=(IntDistribution(1, 3), 1),
        pixel_loss=(CategoricalDistribution(["l1", "l2", "mixed"]), "l2"),
        lr=(FloatDistribution(3e-4, 1e-2, log=True), 2e-3),
        weight_decay=(FloatDistribution(1e-5, 1e-1, log=True), 1e-3),
        batch_size=(CategoricalDistribution([128, 256, 512]), 128),
        warmup=(FloatDistribution(0.0, 0.3), 0.1),
        dropout=(FloatDistribution(0.0, 0.3), 0.0),
        augment_strength=(FloatDistribution(0.0, 0.6), 0.0),
    ),
    build="mlp_autoencoder",
    epochs=12,
)
