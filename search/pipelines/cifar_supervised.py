"""CIFAR-10, supervised: encoder and classifier trained jointly on the labels."""

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search import recipes
from search.pipeline import Pipeline

PIPELINE = Pipeline(
    summary="classify CIFAR-10 pictures from the latent, encoder and classifier jointly",
    reasoning="""Two 3 x 3 convolutions a stage, as in VGG (Simonyan and Zisserman, 2015), pooling
after the first: one convolution a stage sees too little (about 66 % against 82 % and more in six
epochs). Crops and flips matter most, colour less, so one moderate strength serves all. Label
smoothing (Szegedy et al., 2016) and the temperature shape how far classes are driven apart.""",
    dataset="cifar",
    uses_labels=True,
    space={
        "width": IntDistribution(16, 48, step=16),
        "depth": IntDistribution(3, 6),
        "block": CategoricalDistribution(["strided", "averaged", "pooled"]),
        "optimizer": CategoricalDistribution(["adamw", "sgd"]),
        "lr": FloatDistribution(5e-4, 1e-2, log=True),
        "weight_decay": FloatDistribution(1e-3, 3e-1, log=True),
        "batch_size": CategoricalDistribution([128, 256, 512]),
        "warmup": FloatDistribution(0.0, 0.3),
        "dropout": FloatDistribution(0.0, 0.3),
        "label_smoothing": FloatDistribution(0.0, 0.2),
        "temperature": FloatDistribution(0.2, 4.0, log=True),
        "augment_strength": FloatDistribution(0.0, 1.0),
    },
    defaults={
        "width": 32,
        "depth": 6,
        "block": "pooled",
        "optimizer": "adamw",
        "lr": 3e-3,
        "weight_decay": 3e-2,
        "batch_size": 256,
        "warmup": 0.2,
        "dropout": 0.0,
        "label_smoothing": 0.1,
        "temperature": 1.0,
        "augment_strength": 0.15,
    },
    build=recipes.supervised,
    epochs=9,
    grace=2 / 9,
)
