"""CIFAR-10, aligned autoencoder: undo crop and colours, two views agree. A variant."""

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.spaces.pipeline import Pipeline
from search.spaces.space import parameters

PIPELINE = Pipeline(
    summary="reconstruct clean CIFAR-10 pictures from changed views; classifier afterwards",
    reasoning="""The autoencoder's networks with another task: a picture is cropped and recoloured,
squares of it may be hidden (He et al., 2022), and the clean picture must come out (Vincent et al.,
2008). The latent then has to encode less of the pixels and more of what the picture shows: after
nine epochs with nothing hidden and a strength of 0.4 a linear classifier on it reaches 49 % where
it reaches 40 % on the plain autoencoder's, while the protocol's reaches 61 % on both. Two views of
a picture whose latents shall agree, coordinate by coordinate and no two coordinates alike (Zbontar
et al., 2021), bring 65.0 % (linear 53 %) after five epochs, and with the texture autoencoder's
weights of brightness and of edges 71.9 % (linear 60 %). That the views lie near each other on the
sphere and pictures evenly about it (Wang and Isola, 2020), in place of that, brings 72.9 % where it
has 70.7 % (six epochs, two seeds). It is no reconstruction: its error is 0.134 where PCA's is
0.050. Hiding is for a search to judge: up to a quarter of the squares it costs three points, and
without those losses up to 75 % cost two, so that the defaults hide nothing. (Validation, protocol
1, one seed each where no number is given.)""",
    dataset="cifar",
    uses_labels=False,
    **parameters(
        width=(IntDistribution(16, 64, step=16), 32),
        depth=(IntDistribution(3, 6), 3),
        block=(CategoricalDistribution(["strided", "pooled"]), "strided"),
        stem=(CategoricalDistribution(["none", "whitened"]), "none"),
        upsample=(CategoricalDistribution(["transposed", "shuffle"]), "transposed"),
        pixel_loss=(CategoricalDistribution(["l1", "l2", "mixed"]), "l2"),
        brightness_weight=(FloatDistribution(0.1, 1.0, log=True), 0.3),
        texture_weight=(FloatDistribution(1.0, 50.0, log=True), 10.0),
        agreement=(CategoricalDistribution(["barlow_twins", "align_uniform"]), "align_uniform"),
        agreement_weight=(FloatDistribution(0.005, 0.5, log=True), 0.02),
        mask_ratio=(FloatDistribution(0.0, 0.75), 0.0),
        optimizer=(CategoricalDistribution(["adamw", "muon"]), "muon"),
        lr=(FloatDistribution(5e-4, 2e-2, log=True), 5e-3),
        weight_decay=(FloatDistribution(1e-4, 1e-1, log=True), 1e-2),
        batch_size=(CategoricalDistribution([128, 256, 512]), 128),
        warmup=(FloatDistribution(0.0, 0.3), 0.1),
        dropout=(FloatDistribution(0.0, 0.3), 0.0),
        augment_strength=(FloatDistribution(0.0, 0.8), 0.4),
    ),
    build="aligned_autoencoder",
    epochs=9,
    grace=2 / 9,
)
