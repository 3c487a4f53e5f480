"""The images that a command's options name."""

from __future__ import annotations

import functools
from argparse import Namespace
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track

from search.errors import UserError
from search.files.home import HOME
from search.spaces.pipeline import Pipeline
from trainers.data import TrainingData, load_training

if TYPE_CHECKING:
    from trainers.data.own import Own


def own_images(options: Namespace) -> Own | None:
    """The user's own images, if `--data` names some."""
    if options.data in (None, "mini"):
        return None
    from trainers.data.own import Own  # Pillow's import is slow

    return Own.parse(
        options.data,
        size=options.image_size,
        flips=False if options.no_flip else None,
        skip=options.skip_unreadable,
        data_dir=options.data_dir,
    )


def label(options: Namespace) -> str:
    """What `TrainingData.label` will be."""
    if options.data in (None, "mini"):
        return options.data or "real"
    from trainers.data.own import Own

    return Own.parse(options.data).name


def images_in_words(data: TrainingData) -> str:
    """`45,000 train and 5,000 validation images (FOLDER)`, or that they are a stand-in."""
    where = "stand-in data, not a result" if data.source == "mini" else str(data.folder)
    return f"{len(data.train):,} train and {len(data.valid):,} validation images ({where})"


def words_of(options: Namespace) -> list[str]:
    """The options that name the data, as words of another command."""
    given = {"--data": options.data, "--data-dir": options.data_dir}
    given["--image-size"] = options.image_size and str(options.image_size)
    words = [word for option, value in given.items() if value for word in (option, value)]
    words += ["--no-flip"] * options.no_flip
    return words + ["--skip-unreadable"] * options.skip_unreadable


def load_images(
    options: Namespace, pipeline: Pipeline, *, train_size: int | None = None
) -> tuple[Pipeline, TrainingData]:
    """The images, and the pipeline for images of their kind.

    Raises:
        UserError, DataError: they are missing, damaged, or not for this pipeline.
    """
    own = own_images(options)
    if own is None:
        if options.image_size or options.no_flip or options.skip_unreadable:
            raise UserError(
                "--image-size, --no-flip and --skip-unreadable are for images of your own\n"
                "leave them out, or name the images: --data folder:DIR"
            )
        if not pipeline.dataset:
            raise UserError(
                "this pipeline is for images of your own: name them with --data\n"
                "folder:DIR, npz:FILE, or torchvision:FashionMNIST"
            )
        mini = options.data == "mini"
        data = load_training(
            pipeline.dataset, data_dir=options.data_dir, mini=mini, train_size=train_size
        )
    else:
        from trainers.data.own import load_own

        console = Console(stderr=True, force_jupyter=False)
        shown = functools.partial(
            track,
            description=f"reading {own.name}",
            console=console,
            transient=True,
            disable=options.quiet or not console.is_terminal,
        )
        data = load_own(
            own,
            cache=HOME.absolute() / "data",
            train_size=train_size,
            track=lambda items, total: shown(items, total=total),
        )
    return pipeline.on(data.spec), data
