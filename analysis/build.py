"""From what MLflow holds to files: reads, puts the sections together, writes the formats."""

from __future__ import annotations

import importlib
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from analysis import fingerprint
from analysis.captions import other_protocols
from analysis.document import Document, Section, heads
from analysis.load import Images, find
from analysis.records import BUILT_IN, Findings, every_pipeline
from analysis.writers import files, page, pdf
from search.cli import output
from search.errors import UserError
from search.files.home import HOME, check_disk
from search.grids.sweep import sweep_names
from search.spaces.pipeline import experiment_name, pipeline_names
from search.tracking import address
from search.tracking.store import Store, open_existing

SECTIONS = heads(  # a module each
    "summary | reasoning | history | reconstructions | interpolation | tsne | latents | mistakes "
    "| sweeps | reproduction"
)
STAND_IN = "Stand-in data: these numbers and pictures show that the report works, nothing else"


def write(options: Namespace) -> int:
    """Make the report as the options say; returns the exit status."""
    began = time.monotonic()
    home = HOME.absolute()
    out = Path(options.out)
    store = open_existing(address.resolve_uri(options.tracking_uri, home))
    check_disk(home)  # keeps the computed arrays, and who saw the test images
    images, notices = _which_images(options, store, home)
    names = options.pipeline or every_pipeline()
    console = output.console(quiet=options.quiet)
    with _progress(console) as progress:
        task = progress.add_task("reading MLflow", total=len(SECTIONS) + len(options.formats) + 2)
        findings = find(
            store,
            names,
            images=images,
            seed=options.seed,
            points=options.points,
            embedding=options.embedding,
            sweeps=() if options.pipeline else sweep_names(),
            protocol=options.protocol,
        )
        progress.advance(task)
        document = compose(findings, notices, progress=partial(progress.update, task))
        out.mkdir(parents=True, exist_ok=True)
        written: list[Path] = []
        progress.update(task, description="drawing")
        key = fingerprint.key(findings)
        rendered = files.render(document, cache=findings.cache, key=key)
        progress.advance(task)
        for kind in options.formats:
            progress.update(task, description=kind)
            if kind == "html":
                written.append(page.write(document, rendered, out / "index.html"))
            elif kind == "pdf":
                written.append(pdf.write(document, rendered, out / "report.pdf"))
            else:
                written += files.write(document, rendered, out, kind)
            progress.advance(task)
    for notice in document.notices:
        console.print(notice, style="yellow", markup=False, soft_wrap=True)
    seconds = time.monotonic() - began
    console.print(
        f"{len(written)} files in {out}/ after {seconds:.0f} s: "
        f"{len(document.figures)} figures, {len(document.tables)} tables",
        markup=False,
    )
    for page_file in written:
        if page_file.suffix == ".html":
            console.print(f"open {page_file.absolute().as_uri()}", soft_wrap=True)
    return 0


def compose(
    findings: Findings,
    notices: Sequence[str],
    *,
    progress: Callable[..., object] = lambda **_: None,
) -> Document:
    """Put the sections together.

    Args:
        notices: that stand before those about the findings.
        progress: told of each section by `description`, and of its end by `advance`.
    """
    sections: list[Section] = []
    for name in SECTIONS:
        progress(description=name)
        if findings.records or name == "sweeps":  # a sweep can be read without a search
            sections.append(importlib.import_module(f"analysis.{name}").section(findings))
        progress(advance=1)
    whose = "MNIST and CIFAR-10" if findings.data in BUILT_IN else findings.data
    return Document(
        title=f"Latent spaces of {whose}",
        subtitle="Autoencoders, supervised and contrastive encoders, searched and compared by "
        f"protocol {findings.protocol}",
        notices=(*notices, *_missing(findings), *other_protocols(findings)),
        sections=tuple(sections),
    )


def _which_images(options: Namespace, store: Store, home: Path) -> tuple[Images, list[str]]:
    """Those that the options name; the stand-in where the store holds nothing else."""
    names = options.pipeline or pipeline_names()
    asked = Images.of(options, home)
    if asked.label not in BUILT_IN and not asked.training("image_autoencoder").classes:
        raise UserError(
            f"{asked.label} has no labels, and a report compares accuracies\n"
            "compare its trials and final numbers in MLflow"
        )
    if options.data or any(_has_trials(store, name, "real") for name in names):
        return asked, [STAND_IN] * (asked.label == "mini")
    if not any(_has_trials(store, name, "mini") for name in names):
        return asked, []
    return asked.stand_in(), [STAND_IN + " (there are no studies on real data)"]


def _has_trials(store: Store, name: str, data: str) -> bool:
    experiment = store.find_experiment(experiment_name(name, data))
    return bool(experiment and store.runs(experiment, limit=1, trial_state="COMPLETE"))


def _missing(findings: Findings) -> list[str]:
    lines = []
    for name, command in findings.missing.items():
        if name in findings.records:
            lines.append(f"{name} is not final: drawn from its best trial. Run: {command}")
        elif name in findings.expected:
            lines.append(f"{name} is missing. Run: {command}")
    return lines


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<16}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=console.quiet or not console.is_terminal,
        transient=True,
    )
