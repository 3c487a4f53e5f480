"""Images in rows on one axis."""

from __future__ import annotations

import numpy as np
import pytest

from analysis import style
from analysis.image_grid import ImageRow, Mosaic, figure_of


def made(columns: int = 0) -> Mosaic:
    """A row of three black images with two lines of words, a row of two grey ones without."""
    above = ImageRow(images=np.zeros((3, 1, 10, 10)), label="black", words=["a\n1", "b\n2", "c\n3"])
    below = ImageRow(images=np.full((2, 3, 10, 10), 51, np.uint8), label="grey")
    return Mosaic(rows=[above, below], width=4.0, columns=columns)


def test_images_stand_where_they_belong() -> None:
    canvas = made().canvas()
    assert canvas.shape[1:] == (3 * 10 + 2, 3)
    black = (canvas == 0).all(axis=2)
    grey = np.isclose(canvas, 0.2).all(axis=2)
    white = (canvas == 1).all(axis=2)
    assert (black | grey | white).all()
    assert black.sum() == 300 and grey.sum() == 200
    # Columns of both rows stand below each other.
    assert black.any(axis=0)[:10].all() and grey.any(axis=0)[:10].all()
    assert not black.any(axis=0)[10] and black.any(axis=0)[11]
    assert not grey[:, 22:].any()
    top = int(np.argmax(black.any(axis=1)))
    assert top > 0  # room for words
    assert black[top : top + 10].any(axis=1).all()


def test_more_words_need_more_room() -> None:
    images = np.zeros((2, 1, 8, 8))
    rows = (ImageRow(images=images, label="", words=[words, "b"]) for words in ("a", "a\nb"))
    one, two = (Mosaic(rows=[row], width=4) for row in rows)
    assert two.height > one.height


def test_room_for_more_columns_makes_images_smaller() -> None:
    assert made(columns=6).height < made().height
    assert made(columns=6).canvas().shape[1] == 6 * 10 + 5


def test_it_is_drawn_with_its_labels() -> None:
    figure = figure_of(made(), title="Some", x_label="image", y_label="kind")
    [axis] = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["black", "grey"]
    assert {text.get_text() for text in axis.texts} == {"a\n1", "b\n2", "c\n3"}
    said = axis.get_title(loc="left"), axis.get_xlabel(), axis.get_ylabel()
    assert said == ("Some", "image", "kind")
    style.close(figure)


def test_what_is_no_row_of_images() -> None:
    with pytest.raises(ValueError, match="1 words above 2 images"):
        ImageRow(images=np.zeros((2, 1, 8, 8)), label="", words=["a"])
    with pytest.raises(ValueError, match=r"not \(2, 2, 8, 8\)"):
        ImageRow(images=np.zeros((2, 2, 8, 8)), label="")
