"""MNIST, supervised contrastive: labels choose the positives. A variant, labels marked."""

from dataclasses import replace

from search.pipelines.mnist_contrastive import PIPELINE as CONTRASTIVE

PIPELINE = replace(
    CONTRASTIVE,
    summary="contrast views of MNIST digits by class; classifier on the frozen latent",
    reasoning="""The contrastive pipeline with labels choosing the positives (SupCon, Khosla et al.,
2020): views of one class attract. It tells what the labels add to the same views and network;
the classifier is still trained afterwards on the frozen latent.""",
    uses_labels=True,
    defaults={**CONTRASTIVE.defaults, "block": "strided", "temperature": 0.1},
    build="supervised_contrastive",
)
