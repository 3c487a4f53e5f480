"""The literature: what the pipelines' reasoning and this report cite, with addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A publication.

    Attributes:
        cited: as the text cites it, `Chen et al., 2020`.
        authors, title, where: as in a bibliography.
        address: of the publication or its preprint.
        used: what for; such a reference stands in every report.
    """

    cited: str
    authors: str
    title: str
    where: str
    address: str
    used: str = ""

    @property
    def year(self) -> str:
        """Four digits."""
        return self.cited[-4:]

    def text(self) -> str:
        """One entry, with the document's marks."""
        used = f" Used for: {self.used}." if self.used else ""
        return f"{self.authors} ({self.year}). [{self.title}]({self.address}). {self.where}.{used}"


REFERENCES = (
    Reference(
        cited="Akiba et al., 2019",
        authors="T. Akiba, S. Sano, T. Yanase, T. Ohta, M. Koyama",
        title="Optuna: a next-generation hyperparameter optimization framework",
        where="KDD",
        address="https://arxiv.org/abs/1907.10902",
        used="the studies",
    ),
    Reference(
        cited="Bergstra et al., 2011",
        authors="J. Bergstra, R. Bardenet, Y. Bengio, B. Kégl",
        title="Algorithms for hyper-parameter optimization",
        where="NeurIPS",
        address="https://papers.nips.cc/paper/2011/hash/86e8f7ab32cfd12577bc2619bc635690-Abstract.html",
        used="TPE, which proposes trials",
    ),
    Reference(
        cited="Berthelot et al., 2019",
        authors="D. Berthelot, C. Raffel, A. Roy, I. Goodfellow",
        title="Understanding and improving interpolation in autoencoders via an adversarial "
        "regularizer",
        where="ICLR",
        address="https://arxiv.org/abs/1807.07543",
        used="what would make the space between latents meaningful",
    ),
    Reference(
        cited="Chen et al., 2020",
        authors="T. Chen, S. Kornblith, M. Norouzi, G. Hinton",
        title="A simple framework for contrastive learning of visual representations",
        where="ICML",
        address="https://arxiv.org/abs/2002.05709",
        used="SimCLR: NT-Xent, views, projection head",
    ),
    Reference(
        cited="Dalal and Triggs, 2005",
        authors="N. Dalal, B. Triggs",
        title="Histograms of oriented gradients for human detection",
        where="CVPR",
        address="https://ieeexplore.ieee.org/document/1467360",
    ),
    Reference(
        cited="Deng, 2012",
        authors="L. Deng",
        title="The MNIST database of handwritten digit images for machine learning research",
        where="IEEE Signal Processing Magazine 29(6), 141-142",
        address="https://doi.org/10.1109/MSP.2012.2211477",
        used="the data set MNIST",
    ),
    Reference(
        cited="Dodge et al., 2019",
        authors="J. Dodge, S. Gururangan, D. Card, R. Schwartz, N. A. Smith",
        title="Show your work: improved reporting of experimental results",
        where="EMNLP",
        address="https://arxiv.org/abs/1909.03004",
        used="the expected best of so many trials",
    ),
    Reference(
        cited="Dosovitskiy et al., 2021",
        authors="A. Dosovitskiy, L. Beyer, A. Kolesnikov, D. Weissenborn, X. Zhai and others",
        title="An image is worth 16x16 words: transformers for image recognition at scale",
        where="ICLR",
        address="https://arxiv.org/abs/2010.11929",
    ),
    Reference(
        cited="Graybill and Wang, 1980",
        authors="F. A. Graybill, C.-M. Wang",
        title="Confidence intervals on nonnegative linear combinations of variances",
        where="Journal of the American Statistical Association 75(372), 869-873",
        address="https://doi.org/10.1080/01621459.1980.10477565",
        used="intervals over seeds and test images at once",
    ),
    Reference(
        cited="He et al., 2015",
        authors="K. He, X. Zhang, S. Ren, J. Sun",
        title="Delving deep into rectifiers: surpassing human-level performance on ImageNet "
        "classification",
        where="ICCV",
        address="https://arxiv.org/abs/1502.01852",
        used="the networks' first weights",
    ),
    Reference(
        cited="He et al., 2022",
        authors="K. He, X. Chen, S. Xie, Y. Li, P. Dollár, R. Girshick",
        title="Masked autoencoders are scalable vision learners",
        where="CVPR",
        address="https://arxiv.org/abs/2111.06377",
    ),
    Reference(
        cited="Hinton and Salakhutdinov, 2006",
        authors="G. E. Hinton, R. R. Salakhutdinov",
        title="Reducing the dimensionality of data with neural networks",
        where="Science 313, 504-507",
        address="https://doi.org/10.1126/science.1127647",
        used="autoencoders as a way to latents",
    ),
    Reference(
        cited="Holm, 1979",
        authors="S. Holm",
        title="A simple sequentially rejective multiple test procedure",
        where="Scandinavian Journal of Statistics 6(2), 65-70",
        address="https://www.jstor.org/stable/4615733",
        used="several comparisons made together",
    ),
    Reference(
        cited="Ioffe and Szegedy, 2015",
        authors="S. Ioffe, C. Szegedy",
        title="Batch normalization: accelerating deep network training by reducing internal "
        "covariate shift",
        where="ICML",
        address="https://arxiv.org/abs/1502.03167",
        used="every convolution, and the latent's scale",
    ),
    Reference(
        cited="Jordan, 2024",
        authors="K. Jordan",
        title="94% on CIFAR-10 in 3.29 seconds on a single GPU",
        where="Preprint",
        address="https://arxiv.org/abs/2404.00498",
    ),
    Reference(
        cited="Jordan et al., 2024",
        authors="K. Jordan, Y. Jin, V. Boza, J. You, F. Cesista, L. Newhouse, J. Bernstein",
        title="Muon: an optimizer for hidden layers in neural networks",
        where="Web page",
        address="https://kellerjordan.github.io/posts/muon/",
    ),
    Reference(
        cited="Khosla et al., 2020",
        authors="P. Khosla, P. Teterwak, C. Wang, A. Sarna, Y. Tian, P. Isola, A. Maschinot, "
        "C. Liu, D. Krishnan",
        title="Supervised contrastive learning",
        where="NeurIPS",
        address="https://arxiv.org/abs/2004.11362",
    ),
    Reference(
        cited="Kingma and Ba, 2015",
        authors="D. P. Kingma, J. Ba",
        title="Adam: a method for stochastic optimization",
        where="ICLR",
        address="https://arxiv.org/abs/1412.6980",
        used="the optimizer, here with decoupled weight decay",
    ),
    Reference(
        cited="Kingma and Welling, 2014",
        authors="D. P. Kingma, M. Welling",
        title="Auto-encoding variational Bayes",
        where="ICLR",
        address="https://arxiv.org/abs/1312.6114",
        used="variational autoencoders, which sample between latents",
    ),
    Reference(
        cited="Kobak and Linderman, 2021",
        authors="D. Kobak, G. C. Linderman",
        title="Initialization is critical for preserving global data structure in both t-SNE and "
        "UMAP",
        where="Nature Biotechnology 39, 156-157",
        address="https://doi.org/10.1038/s41587-020-00809-z",
        used="t-SNE's start from PCA",
    ),
    Reference(
        cited="Krizhevsky, 2009",
        authors="A. Krizhevsky",
        title="Learning multiple layers of features from tiny images",
        where="Technical report, University of Toronto",
        address="https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf",
        used="the data set CIFAR-10",
    ),
    Reference(
        cited="Li et al., 2020",
        authors="L. Li, K. Jamieson, A. Rostamizadeh, E. Gonina, J. Ben-tzur, M. Hardt, B. Recht, "
        "A. Talwalkar",
        title="A system for massively parallel hyperparameter tuning",
        where="MLSys",
        address="https://arxiv.org/abs/1810.05934",
        used="ASHA, which stops trials",
    ),
    Reference(
        cited="Liaw et al., 2018",
        authors="R. Liaw, E. Liang, R. Nishihara, P. Moritz, J. E. Gonzalez, I. Stoica",
        title="Tune: a research platform for distributed model selection and training",
        where="ICML AutoML workshop",
        address="https://arxiv.org/abs/1807.05118",
        used="running the trials",
    ),
    Reference(
        cited="Liu et al., 2025",
        authors="J. Liu, J. Su, X. Yao, Z. Jiang, G. Lai and others",
        title="Muon is scalable for LLM training",
        where="Preprint",
        address="https://arxiv.org/abs/2502.16982",
    ),
    Reference(
        cited="Loshchilov and Hutter, 2019",
        authors="I. Loshchilov, F. Hutter",
        title="Decoupled weight decay regularization",
        where="ICLR",
        address="https://arxiv.org/abs/1711.05101",
        used="AdamW",
    ),
    Reference(
        cited="van der Maaten and Hinton, 2008",
        authors="L. van der Maaten, G. Hinton",
        title="Visualizing data using t-SNE",
        where="Journal of Machine Learning Research 9, 2579-2605",
        address="https://jmlr.org/papers/v9/vandermaaten08a.html",
        used="pictures of the latents in the plane",
    ),
    Reference(
        cited="Rousseeuw, 1987",
        authors="P. J. Rousseeuw",
        title="Silhouettes: a graphical aid to the interpretation and validation of cluster "
        "analysis",
        where="Journal of Computational and Applied Mathematics 20, 53-65",
        address="https://doi.org/10.1016/0377-0427%2887%2990125-7",
        used="silhouettes of the classes",
    ),
    Reference(
        cited="Roy and Vetterli, 2007",
        authors="O. Roy, M. Vetterli",
        title="The effective rank: a measure of effective dimensionality",
        where="EUSIPCO, 606-610",
        address="https://ieeexplore.ieee.org/document/7098875",
        used="how many directions a latent space uses",
    ),
    Reference(
        cited="Shi et al., 2016",
        authors="W. Shi, J. Caballero, F. Huszár, J. Totz, A. P. Aitken, R. Bishop, D. Rueckert, "
        "Z. Wang",
        title="Real-time single image and video super-resolution using an efficient sub-pixel "
        "convolutional neural network",
        where="CVPR",
        address="https://arxiv.org/abs/1609.05158",
        used="the decoders' pixel shuffle",
    ),
    Reference(
        cited="Simonyan and Zisserman, 2015",
        authors="K. Simonyan, A. Zisserman",
        title="Very deep convolutional networks for large-scale image recognition",
        where="ICLR",
        address="https://arxiv.org/abs/1409.1556",
    ),
    Reference(
        cited="Sønderby et al., 2016",
        authors="C. K. Sønderby, T. Raiko, L. Maaløe, S. K. Sønderby, O. Winther",
        title="Ladder variational autoencoders",
        where="NeurIPS",
        address="https://arxiv.org/abs/1602.02282",
        used="the KL term's weight rising over the first steps",
    ),
    Reference(
        cited="Springenberg et al., 2015",
        authors="J. T. Springenberg, A. Dosovitskiy, T. Brox, M. Riedmiller",
        title="Striving for simplicity: the all convolutional net",
        where="ICLR workshop",
        address="https://arxiv.org/abs/1412.6806",
    ),
    Reference(
        cited="Szegedy et al., 2016",
        authors="C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna",
        title="Rethinking the Inception architecture for computer vision",
        where="CVPR",
        address="https://arxiv.org/abs/1512.00567",
    ),
    Reference(
        cited="Vincent et al., 2008",
        authors="P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol",
        title="Extracting and composing robust features with denoising autoencoders",
        where="ICML",
        address="https://dl.acm.org/doi/10.1145/1390156.1390294",
    ),
    Reference(
        cited="Wang and Isola, 2020",
        authors="T. Wang, P. Isola",
        title="Understanding contrastive representation learning through alignment and uniformity "
        "on the hypersphere",
        where="ICML",
        address="https://arxiv.org/abs/2005.10242",
        used="measuring a latent space",
    ),
    Reference(
        cited="Watanabe et al., 2023",
        authors="S. Watanabe, A. Bansal, F. Hutter",
        title="PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary subspaces",
        where="IJCAI",
        address="https://arxiv.org/abs/2304.10255",
        used="the importance of parameters",
    ),
    Reference(
        cited="Welch, 1947",
        authors="B. L. Welch",
        title="The generalization of 'Student's' problem when several different population "
        "variances are involved",
        where="Biometrika 34(1-2), 28-35",
        address="https://doi.org/10.1093/biomet/34.1-2.28",
        used="two methods over seeds",
    ),
    Reference(
        cited="Zbontar et al., 2021",
        authors="J. Zbontar, L. Jing, I. Misra, Y. LeCun, S. Deny",
        title="Barlow Twins: self-supervised learning via redundancy reduction",
        where="ICML",
        address="https://arxiv.org/abs/2103.03230",
    ),
)
CITATION = re.compile(
    r"((?:van der )?[A-Z][\w-]+(?: et al\.| and (?:van der )?[A-Z][\w-]+)?),? \(?(\d{4})\)?"
)


def cited_in(text: str) -> set[str]:
    """The citations in a text, as `Chen et al., 2020`."""
    return {f"{names}, {year}" for names, year in CITATION.findall(" ".join(text.split()))}


def needed(texts: Iterable[str]) -> tuple[Reference, ...]:
    """The references that every report cites and those that these texts cite, by author."""
    cited: set[str] = set().union(*(cited_in(text) for text in texts))
    return tuple(one for one in REFERENCES if one.used or one.cited in cited)
