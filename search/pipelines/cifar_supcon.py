"""CIFAR-10, supervised contrastive: labels choose the positives. A variant, labels marked."""

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.spaces.pipeline import Pipeline

PIPELINE = Pipeline(
    summary="contrast views of CIFAR-10 pictures by class; classifier on the frozen latent",
    reasoning="""The contrastive pipeline with labels choosing the positives (SupCon, Khosla et al.,
2020): views of one class attract. It tells what the labels add to the same views and network;
the classifier is still trained afterwards on the frozen latent.""",
    dataset="cifar",
    uses_labels=True,
    space={
        "width": IntDistribution(16, 48, step=16),
        "depth": IntDistribution(3, 4),
        "block": CategoricalDistribution(["strided", "pooled"]),
        "stem": CategoricalDistribution(["none", "whitened"]),
        "readout": CategoricalDistribution(["flat", "mean"]),
        "projection": CategoricalDistribution(["head", "none"]),
        "temperature": FloatDistribution(0.05, 1.0, log=True),
        "optimizer": CategoricalDistribution(["adamw", "muon"]),
        "lr": FloatDistribution(5e-4, 2e-2, log=True),
        "weight_decay": FloatDistribution(1e-4, 1e-1, log=True),
        "batch_size": CategoricalDistribution([256, 512, 1024]),
        "warmup": FloatDistribution(0.0, 0.3),
        "augment_strength": FloatDistribution(0.1, 1.0),
    },
    defaults={
        "width": 32,
        "depth": 3,
        "block": "strided",
        "stem": "whitened",
        "readout": "flat",
        "projection": "head",
        "temperature": 0.1,
        "optimizer": "muon",
        "lr": 5e-3,
        "weight_decay": 1e-2,
        "batch_size": 256,
        "warmup": 0.1,
        "augment_strength": 0.5,
    },
    build="supervised_contrastive",
    ablation="reconstruction_only",
    epochs=9,
    grace=2 / 9,
)
