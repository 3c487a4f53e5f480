"""MNIST, variational autoencoder: latents that may be drawn from N(0, I). A variant."""

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.spaces.pipeline import Pipeline
from search.spaces.space import parameters

PIPELINE = Pipeline(
    summary="variational autoencoder of MNIST digits; the search maximises the evidence bound",
    reasoning="""A variational autoencoder (Kingma and Welling, 2014) maps an image to a normal
distribution and reconstructs from a sample of it, so that decoding a draw of N(0, I) gives a digit.
The search maximises the evidence lower bound on validation images and not the accuracy: what is
wanted here is a model of the data. The weight of the KL term rises over the first steps (Sønderby
et al., 2016), else the decoder may never learn to use the latent. Few coordinates suffice: those
that the bound does not pay for collapse onto the prior.""",
    dataset="mnist",
    uses_labels=False,
    **parameters(
        latent_dim=(IntDistribution(8, 64, step=8), 16),
        width=(IntDistribution(16, 48, step=16), 32),
        depth=(IntDistribution(3, 4), 3),
        upsample=(CategoricalDistribution(["transposed", "shuffle"]), "transposed"),
        kl_weight=(FloatDistribution(0.3, 3.0, log=True), 1.0),
        kl_warmup=(IntDistribution(0, 1000, step=100), 200),
        lr=(FloatDistribution(5e-4, 1e-2, log=True), 2e-3),
        weight_decay=(FloatDistribution(1e-4, 1e-1, log=True), 1e-2),
        batch_size=(CategoricalDistribution([128, 256, 512]), 128),
        warmup=(FloatDistribution(0.0, 0.3), 0.1),
        augment_strength=(FloatDistribution(0.0, 0.6), 0.0),
    ),
    build="variational",
    epochs=12,
    metric="valid/elbo",
)
