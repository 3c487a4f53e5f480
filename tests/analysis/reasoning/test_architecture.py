"""Networks traced and drawn."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from analysis import style
from analysis.reasoning.architecture import architecture_figure, compute_architecture
from analysis.records import SIX, Findings
from models import parameter_count
from search.spaces.rebuild import rebuild, untrained


@pytest.mark.parametrize("name", SIX)
def test_parts_their_shapes_and_weights(findings: Findings, name: str) -> None:
    record = findings.records[name]
    by_name = {part.name: part for part in compute_architecture(record)}
    channels, side = record.images.images.shape[1:3]
    encoder = by_name["encoder"]
    assert encoder.enters == (channels, side, side)
    half = [-(-side // 2**i) for i in (1, 2, 3)]  # width 4 in these findings
    stem = [(24, side, side)] if record.info["params"].get("stem") == "whitened" else []
    assert [layer.shape for layer in encoder.layers] == [
        *stem,
        *((4 * 2**i, s, s) for i, s in enumerate(half)),
        (128,),
    ]
    assert encoder.parameters == parameter_count(record.model.encoder)
    assert by_name["classifier"].parameters == parameter_count(record.model.classifier)
    assert by_name["classifier"].layers[-1].shape == (10,)
    assert ("decoder" in by_name) == name.endswith("autoencoder")
    assert ("projection head" in by_name) == name.endswith("contrastive")
    jointly = by_name["classifier"].note.startswith("trained with the encoder")
    assert jointly == name.endswith("supervised")


def test_a_decoder_ends_in_the_image_and_its_sigmoid(findings: Findings) -> None:
    record = findings.records["mnist_autoencoder"]
    decoder = compute_architecture(record)[1]
    assert decoder.layers[-1].shape == (1, 28, 28)
    assert decoder.layers[-1].operations[-1] == "sigmoid"
    assert decoder.layers[0].shape == (16, 4, 4), "the shape behind the unfolding"
    assert decoder.parameters == parameter_count(record.model.decoder or torch.nn.Identity())


@pytest.mark.parametrize("stem", ["none", "whitened"])
@pytest.mark.parametrize("readout", ["flat", "mean"])
def test_words_follow_the_modules(findings: Findings, stem: str, readout: str) -> None:
    """The deepest of pooled encoders: six convolutions, a pooling in each stage, dropout."""
    record = findings.records["cifar_supervised"]
    changed = {"depth": 6, "block": "pooled", "stem": stem, "readout": readout, "dropout": 0.2}
    params = {**record.info["params"], **changed}
    info = {**record.info, "params": params}
    method = untrained(info)
    weights = {f"method.{name}": value for name, value in method.state_dict().items()}
    weights |= {n.removeprefix("method."): v for n, v in weights.items() if ".classifier." in n}
    other = replace(record, info=info, model=rebuild(info, weights))
    encoder = compute_architecture(other)[0]
    said = [layer.operations for layer in encoder.layers]
    conv = "conv 3 \N{MULTIPLICATION SIGN} 3"
    if stem == "whitened":
        assert said.pop(0) == ("whitened 2 \N{MULTIPLICATION SIGN} 2", "patches", "ReLU")
        assert encoder.layers[0].shape == (24, 32, 32)
    assert said[0] == (conv, "max pool 2", "batch norm", "ReLU")
    assert said[1] == (conv, "batch norm", "ReLU")
    assert len(said) == 7
    means = ["mean of each map"] if readout == "mean" else []
    assert said[-1] == (*means, "dropout 0.2", "linear", "standardise")


def test_a_loss_on_the_latents_themselves_has_no_head(findings: Findings) -> None:
    record = findings.records["cifar_contrastive"]
    changed = {**record.info, "params": {**record.info["params"], "projection": "none"}}
    parts = compute_architecture(replace(record, info=changed))
    assert [part.name for part in parts] == ["encoder", "classifier"]


def test_tracing_changes_nothing(findings: Findings) -> None:
    record = findings.records["mnist_contrastive"]
    before = {n: v.clone() for n, v in record.model.state_dict().items()}
    state = torch.get_rng_state()
    compute_architecture(record)
    assert torch.equal(state, torch.get_rng_state())
    after = record.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert not any(module._forward_hooks for module in record.model.modules())


@pytest.mark.parametrize("name", ["mnist_autoencoder", "cifar_contrastive"])
def test_the_drawing_says_every_shape(findings: Findings, name: str) -> None:
    parts = compute_architecture(findings.records[name])
    canvas = architecture_figure(name, parts)
    canvas.canvas.draw()  # type: ignore[no-untyped-call]
    [axis] = canvas.axes
    texts = [text.get_text() for text in axis.texts]
    for part in parts:
        assert any(text.startswith(f"{part.name}, {part.parameters:,}") for text in texts)
        for layer in part.layers:
            assert " \N{MULTIPLICATION SIGN} ".join(map(str, layer.shape)) in texts
    assert axis.get_title(loc="left") == f"{name}: the networks"
    style.close(canvas)
