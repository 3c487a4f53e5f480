"""Networks as plain `nn.Module`s, built from plain numbers.

`encoder` maps an image to a latent vector, `decoder` maps it back, `heads` holds what
stands on a latent: the classifier, the linear head and the projection head.

This package imports torch alone and knows nothing of training, data or search.
Shapes use the same letters everywhere: B batch, C H W image, D latent, K classes.
"""

from models.decoder import ConvDecoder
from models.encoder import ConvEncoder
from models.heads import Classifier, LinearHead, ProjectionHead
from models.layers import parameter_count

__all__ = [
    "Classifier",
    "ConvDecoder",
    "ConvEncoder",
    "LinearHead",
    "ProjectionHead",
    "parameter_count",
]
