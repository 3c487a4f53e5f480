"""Write the latent vectors of any images: `python search/embed.py`.

A champion, or the network of one trial, maps every image to its latent vector. Images pass through
in batches, so that memory does not grow with their number.
"""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    # As a script, Python puts search/ first on the path, where files could hide packages.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from search.cli import arguments, output
from search.spaces.pipeline import experiment_name, of_experiment

if TYPE_CHECKING:
    import numpy as np

    from search.cells.opening import Opened
    from trainers.data import DatasetSpec

EXAMPLES = """\
examples:
  python search/embed.py --pipeline image_contrastive --data folder:flowers --out latents.npz
  python search/embed.py --pipeline cifar_contrastive --data folder:flowers --out latents.parquet
  python search/embed.py --trial 41869ea1a895 --data npz:flowers.npz --out latents.npz

A row an image: `latent`, `file`, and `label` where there is one. In an npz file these are arrays of
the same order: `latents` (N, D) float32, `files`, `labels`.
"""
BATCH_SIZE = 1000
KINDS = (".npz", ".parquet")


def parser() -> arguments.Parser:
    """The options of the command."""
    command_line = arguments.Parser(
        prog="embed.py",
        description="Map images to the latent vectors of a champion, or of a trial's network.",
        epilog=EXAMPLES,
    )
    option = partial(arguments.add, command_line)
    which = "whose champion: the one of these images, else the pipeline's own; or NAME@DATA"
    option("--pipeline NAME", _champion, which)
    option("--trial ID", arguments.filled, "the network of this trial in place of a champion")
    option("--out FILE", _out, "latents.npz or latents.parquet", required=True)
    data = arguments.add_data(command_line, own=False)
    skip = "leave out images that cannot be read"
    data.add_argument("--skip-unreadable", action="store_true", help=skip)
    device = "auto (default: a GPU where there is one), cpu or cuda"
    option("--device NAME", arguments.one_of("auto", "cpu", "cuda"), device, default="auto")
    other = command_line.add_argument_group("records and output")
    arguments.add_tracking(other)
    arguments.add_output(other)
    return command_line


def _champion(text: str) -> str:
    """The name that `champions.load` takes, of a pipeline that there is."""
    name, data = of_experiment(text)
    return experiment_name(arguments.pipeline(name), data)


def _out(text: str) -> str:
    if Path(text).suffix not in KINDS:
        raise ArgumentTypeError(f"{text} ends neither in {' nor in '.join(KINDS)}")
    return arguments.new_file(text)


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit status."""
    command_line = parser()
    options = command_line.parse_args(argv)
    if bool(options.pipeline) == bool(options.trial):
        command_line.error("name a --pipeline or a --trial")
    return arguments.run(options, _run)


def _run(options: Namespace) -> int:
    import torch
    from rich.progress import track

    from search.cluster.resources import choose_device, gpu_count
    from search.spaces.rebuild import described
    from trainers.evaluation import encode
    from trainers.loop import DeviceImages
    from trainers.precision import exact_float32

    console = output.console(quiet=options.quiet)
    whose, opened = _network(options)
    source = _Source.open(options, described(opened.info))
    device = torch.device(choose_device(options.device, None, gpus=gpu_count()))
    encoder = opened.model.encoder.to(device)
    batches = track(
        source.batches(skip=options.skip_unreadable),
        description="encoding",
        total=-(-len(source.files) // BATCH_SIZE),
        console=console,
        transient=True,
        disable=options.quiet or not console.is_terminal,
    )
    rows: list[int] = []

    @exact_float32()
    def latents() -> Iterator[np.ndarray]:
        for numbers, pixels in batches:
            images = torch.from_numpy(pixels).to(device)
            labels = torch.zeros(len(images), dtype=torch.int64)
            rows.extend(numbers)
            yield encode(encoder, DeviceImages(images=images, labels=labels)).cpu().numpy()

    write = _write_npz if options.out.endswith(".npz") else _write_parquet
    write(Path(options.out), latents(), rows, source)
    left_out = len(source.files) - len(rows)
    unread = f"; {left_out:,} could not be read" * bool(left_out)
    output.say(console, f"{len(rows):,} latents of {whose} in {options.out}{unread}")
    return 0


def _network(options: Namespace) -> tuple[str, Opened]:
    """(in words whose it is, the network and its description).

    Raises:
        UserError: there is none.
    """
    from search import champions
    from search.cells.opening import open_trial
    from search.cli.images import label
    from search.errors import UserError
    from search.files.home import HOME
    from search.spaces.pipeline import load_pipeline
    from search.tracking.address import resolve_uri
    from search.tracking.store import open_existing

    if options.trial:
        store = open_existing(resolve_uri(options.tracking_uri, HOME.absolute()))
        run_id = store.find_trial(options.trial)
        if run_id is None:
            raise UserError(
                f"--trial {options.trial}: no trial has this id\n"
                "the ids are in MLflow, tag trial_id"
            )
        again = f"python search/tune.py --replay {options.trial}"
        return f"trial {options.trial}", open_trial(store, run_id, again=again)
    name, data = of_experiment(options.pipeline)
    names = [options.pipeline]
    if data == "real":
        of_these = experiment_name(name, label(options))
        names = [of_these, name] if load_pipeline(name).dataset else [of_these]
    *first, last = names
    for one in first:
        with suppress(UserError):
            return f"champion {one}", champions.find(one, tracking_uri=options.tracking_uri)
    return f"champion {last}", champions.find(last, tracking_uri=options.tracking_uri)


@dataclass(frozen=True, kw_only=True)
class _Source:
    """Images to be read, in their order.

    Attributes:
        items: files or arrays.
        labels: the class of each by name; None where there are none.
        spec: what they are made into.
    """

    items: Sequence[Any]
    files: Sequence[str]
    labels: Sequence[str] | None
    spec: DatasetSpec

    @classmethod
    def open(cls, options: Namespace, spec: DatasetSpec) -> _Source:
        """What `--data` names; without it the official training images of a built-in data set."""
        from search.errors import UserError
        from trainers.data import DATASETS, load_training, pictures

        kind, _, where = (options.data or "").partition(":")
        if where:
            found = pictures.find(kind, where, options.data_dir)
            folder = Path(where)
            files = [
                str(item.relative_to(folder)) if isinstance(item, Path) else f"images[{row}]"
                for row, item in enumerate(found.items)
            ]
            labels = None if found.labels is None else [found.classes[n] for n in found.labels]
            return cls(items=found.items, files=files, labels=labels, spec=spec)
        if spec.name not in DATASETS:
            raise UserError(f"name the images with --data: the network is of {spec.name}")
        mini = options.data == "mini"
        data = load_training(spec.name, data_dir=options.data_dir, mini=mini)
        parts = {"train": data.train, "valid": data.valid}
        return cls(
            items=[image for part in parts.values() for image in part.images],
            files=[f"{part}[{row}]" for part in parts for row in range(len(parts[part]))],
            labels=[data.classes[label] for part in parts.values() for label in part.labels],
            spec=spec,
        )

    def batches(self, *, skip: bool) -> Iterator[tuple[list[int], np.ndarray]]:
        """(rows, (B, C, S, S) uint8) of those that can be read; `skip` leaves out the others.

        Raises:
            DataError: one cannot be read.
        """
        from concurrent.futures import ThreadPoolExecutor

        import numpy as np

        from trainers.data import pictures
        from trainers.data.own import UNREADABLE
        from trainers.errors import DataError

        shape = (self.spec.channels, self.spec.size, self.spec.size)

        def read(row: int) -> np.ndarray | None:
            item = self.items[row]
            if isinstance(item, np.ndarray) and item.shape == shape:
                return item
            try:
                return pictures.decode(item, channels=shape[0], size=shape[1])
            except UNREADABLE as error:
                if skip:
                    return None
                reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
                raise DataError(
                    f"{self.files[row]} cannot be read: {reason}\n"
                    "mend or remove it, or leave such images out with --skip-unreadable"
                ) from None

        with ThreadPoolExecutor() as pool:
            for start in range(0, len(self.items), BATCH_SIZE):
                numbers = range(start, min(start + BATCH_SIZE, len(self.items)))
                read_ones = zip(numbers, pool.map(read, numbers), strict=True)
                kept = [(row, image) for row, image in read_ones if image is not None]
                if kept:
                    yield [row for row, _ in kept], np.stack([image for _, image in kept])


def _write_npz(
    file: Path, latents: Iterator[np.ndarray], rows: Sequence[int], source: _Source
) -> None:
    """Spool the latents to disk first: the header of an array says how many there are."""
    import shutil
    import tempfile
    import zipfile

    import numpy as np

    from search.files import durable

    with tempfile.TemporaryFile(dir=file.parent) as spool, durable.replacing(file) as target:
        size = 0
        for part in latents:
            spool.write(part.astype("<f4").tobytes())
            size = part.shape[1]
        spool.seek(0)
        texts = {"files": source.files, "labels": source.labels}
        with zipfile.ZipFile(target, "w") as archive:
            for name, each in texts.items():
                if each is not None:
                    with archive.open(f"{name}.npy", "w") as member:
                        np.lib.format.write_array(member, np.array([each[row] for row in rows]))
            with archive.open("latents.npy", "w", force_zip64=True) as member:
                header = {"descr": "<f4", "fortran_order": False, "shape": (len(rows), size)}
                np.lib.format.write_array_header_1_0(member, header)
                shutil.copyfileobj(spool, member)


def _write_parquet(
    file: Path, latents: Iterator[np.ndarray], rows: Sequence[int], source: _Source
) -> None:
    """One row group a batch."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from search.files import durable

    with durable.replacing(file) as target:
        writer, done = None, 0
        for part in latents:
            size = part.shape[1]
            numbers, done = rows[done:], len(rows)
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(part.ravel(), pa.float32()), size)
            columns = {"file": pa.array([source.files[row] for row in numbers]), "latent": vectors}
            if source.labels is not None:
                columns["label"] = pa.array([source.labels[row] for row in numbers])
            table = pa.table(columns)
            writer = writer or pq.ParquetWriter(target, table.schema)
            writer.write_table(table)
        if writer:
            writer.close()


if __name__ == "__main__":
    sys.exit(main())
