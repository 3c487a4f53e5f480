"""What is kept of a training: its parts in their order, under their names."""

from __future__ import annotations

import torch

from models import Classifier, ConvDecoder, ConvEncoder, LatentModel


def parts() -> tuple[ConvEncoder, Classifier, ConvDecoder]:
    torch.manual_seed(0)
    return (
        ConvEncoder(channels=1, size=8, width=2, depth=2, latent_dim=5),
        Classifier(latent_dim=5, classes=3),
        ConvDecoder(channels=1, size=8, width=2, depth=2, latent_dim=5),
    )


def test_an_image_is_classified_from_its_latent() -> None:
    encoder, classifier, decoder = parts()
    model = LatentModel(encoder=encoder, classifier=classifier, decoder=decoder).eval()
    images = torch.rand(4, 1, 8, 8)
    logits = model(images)
    assert logits.shape == (4, 3)
    torch.testing.assert_close(logits, classifier(encoder(images)))
    assert decoder(encoder(images)).shape == images.shape


def test_a_decoder_is_optional() -> None:
    encoder, classifier, _ = parts()
    model = LatentModel(encoder=encoder, classifier=classifier)
    assert model.decoder is None
    assert {name.split(".")[0] for name in model.state_dict()} == {"encoder", "classifier"}
    assert not model.eval().classifier.training
