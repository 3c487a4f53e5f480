"""Decoders: the verified bytes of published files in, LabelledImages out.

Each takes the files' contents in the order in which the table lists them, as an iterator, so that
one file at a time need be in memory.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from trainers.data.datasets import LabelledImages
from trainers.errors import DataError


def decode_idx(contents: Iterator[bytes]) -> LabelledImages:
    """MNIST's idx pair, images then labels (http://yann.lecun.com/exdb/mnist, "file formats")."""
    images = _idx_array(next(contents))
    labels = _idx_array(next(contents))
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise DataError(f"The idx files do not match: {images.shape} images, {labels.shape} labels")
    # Copies: the arrays over the files' bytes are read-only and keep the headers alive.
    return LabelledImages(images[:, None].copy(), labels.astype(np.int64))


def _idx_array(content: bytes) -> npt.NDArray[np.uint8]:
    # Two zero bytes, the type (8: unsigned byte), the number of dimensions, each as big-endian int.
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise DataError(f"Not an idx file of bytes: it begins with {content[:4].hex()!r}")
    header = 4 + 4 * content[3]
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", content[3], offset=4))
    if len(content) - header != int(np.prod(shape)):
        raise DataError(f"An idx file of shape {shape} holds {len(content) - header} values")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def decode_cifar(contents: Iterator[bytes]) -> LabelledImages:
    """CIFAR-10's pickled batches: rows of 3 x 32 x 32 bytes, channels first.

    Unpickling runs what the file says, so the caller has compared each file's MD5 before.
    """
    batches = []
    labels: list[int] = []
    for content in contents:
        batch = pickle.loads(content, encoding="bytes")
        batches.append(batch[b"data"])
        labels += batch[b"labels"]
    images = np.concatenate(batches).reshape(-1, 3, 32, 32)
    return LabelledImages(images, np.array(labels, dtype=np.int64))
