"""The methods: networks together with the loss that trains them, one file each.

All satisfy `Method`, a protocol and no base class. A method is an `nn.Module`, so that one
`parameters()`, `state_dict()` and `to()` serve the loop, the checkpoints and the device.
"""

from trainers.methods.aligned import AlignedAutoencoder
from trainers.methods.autoencoder import Autoencoder
from trainers.methods.contrastive import Contrastive
from trainers.methods.masked import MaskedAutoencoder
from trainers.methods.protocol import Method
from trainers.methods.supcon import SupervisedContrastive
from trainers.methods.supervised import Supervised
from trainers.methods.variational import VariationalAutoencoder

__all__ = [
    "AlignedAutoencoder",
    "Autoencoder",
    "Contrastive",
    "MaskedAutoencoder",
    "Method",
    "Supervised",
    "SupervisedContrastive",
    "VariationalAutoencoder",
]
