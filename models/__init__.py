"""Networks as plain `nn.Module`s, built from plain numbers.

`encoder` maps an image to a latent vector, `decoder` maps it back, `heads` holds what
stands on a latent: the classifier, the linear head and the projection head. `latent_model`
joins what is kept of a training. `mlp` has fully connected ones, `variational` an encoder
that gives a distribution, `whitening` a fixed first layer, `shuffled_pixels` what takes an image's
geometry away.

This package imports torch alone and knows nothing of training, data or search.
Shapes use the same letters everywhere: B batch, C H W image, D latent, K classes.
"""

from models.decoder import ConvDecoder
from models.encoder import ConvEncoder
from models.heads import Classifier, LinearHead, ProjectionHead
from models.latent_model import LatentModel
from models.layers import parameter_count
from models.mlp import MLPDecoder, MLPEncoder
from models.shuffled_pixels import ShuffledPixels
from models.variational import VariationalEncoder
from models.whitening import PatchWhitening

__all__ = [
    "Classifier",
    "ConvDecoder",
    "ConvEncoder",
    "LatentModel",
    "LinearHead",
    "MLPDecoder",
    "MLPEncoder",
    "PatchWhitening",
    "ProjectionHead",
    "ShuffledPixels",
    "VariationalEncoder",
    "parameter_count",
]
