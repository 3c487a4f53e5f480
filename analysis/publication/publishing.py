"""From what MLflow holds to docs/results/: entries, networks, tables; and the report."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from analysis import build, fingerprint
from analysis.load import Images, every_final, find
from analysis.publication import entries, pages
from analysis.publication.entries import Final, Search
from analysis.publication.findings import assemble
from analysis.records import Findings, PipelineRecord, SweepRecord, every_pipeline
from analysis.sentences import counted
from analysis.writers import files, markdown, pdf
from search.cells.opening import CHAMPION
from search.champions import published_folder
from search.cli import output
from search.errors import FAILED, Failure, UserError
from search.files import durable
from search.files.home import HOME, check_disk
from search.grids.sweep import sweep_names
from search.tracking import address
from search.tracking.store import Store, open_existing
from search.trials.checkpoint import WEIGHTS

PUBLISHED, REPORT = "docs/results", "docs/report"
PAGE, README = "README.md", Path("README.md")
PDF, FILES = "report.pdf", "files.txt"  # of a report
# Bytes, for git keeps every version: of a report's PDF, of its pages; of all champions' weights.
LARGEST = LARGEST_WEIGHTS = 8_000_000


def run(options: Namespace) -> int:
    """Publish, or look after what is published only; returns the exit status."""
    out = Path(options.out)
    console = output.console(quiet=options.quiet)
    if options.check:
        stale = ", ".join(map(str, pages.refresh(_pages(out), entries.read(out), write=False)))
        if stale:
            say = f"not what {out}/ says: {stale}; run analysis/publish.py --tables"
            console.print(say, markup=False)
        return FAILED if stale else 0
    home = HOME.absolute()
    images = Images.of(options, home)
    for option, folder in (("--out", PUBLISHED), ("--report", REPORT)):
        given = getattr(options, option.strip("-"))
        if images.label != "real" and given and Path(given) == Path(folder):
            whose = "stand-in data" if images.label == "mini" else f"results of {images.label}"
            raise UserError(f"{whose} are not published in {folder}/\ngive another {option}")
    if options.report:
        _replace(Path(options.report), {})
    added, sweeps = ([], ()) if options.tables else _add(options, images, out)
    published = entries.read(out)
    added += pages.refresh(_pages(out), published)
    if options.report:
        check_disk(home)  # keeps the computed arrays, and who saw the test images
        points = options.points
        findings = assemble(published, out, images=images, points=points, sweeps=sweeps)
        console.print(_report(findings, Path(options.report)), markup=False)
    console.print(
        f"{counted(len(added), 'file')} changed in {out}/ and the pages of its tables", markup=False
    )
    return 0


def _add(
    options: Namespace, images: Images, out: Path
) -> tuple[list[Path], tuple[SweepRecord, ...]]:
    """Add what the store holds; returns the files and, for a report, its sweeps."""
    store = open_existing(address.resolve_uri(options.tracking_uri, images.home))
    check_disk(images.home)
    check_disk(out)
    findings = find(
        store,
        every_pipeline(),
        images=images,
        sweeps=sweep_names() if options.report else (),
    )
    added = [*_entries(store, findings, out)]
    published = entries.read(out)
    added += _networks(store, published_here(findings, published), out)
    return added, findings.sweeps


def _report(findings: Findings, out: Path) -> str:
    """Write the whole report as a PDF and as pages; returns a line that says so.

    Raises:
        Failure: a part of it is larger than `LARGEST`; the folder is as it was.
    """
    document = build.compose(findings, [build.STAND_IN] * findings.mini)
    pictures = files.render(document, cache=findings.cache, key=fingerprint.key(findings))
    sweeps = {f"sweep_{record.name}": record for record in findings.sweeps}
    grids = {
        f"sweeps/{record.name}.json": json.dumps(record.outcome.to_json(), indent=1).encode()
        for record in sweeps.values()
    }
    pages = markdown.files(
        document,
        pictures,
        data={name: f"sweeps/{record.name}.json" for name, record in sweeps.items()},
    )
    made = {PDF: pdf.content(document, pictures), **grids, **pages}
    sizes = {PDF: len(made[PDF]), "pages and pictures": sum(map(len, pages.values()))}
    for what, size in sizes.items():
        if size > LARGEST:
            raise Failure(
                f"no report in {out}/: {what} {size / 1e6:.1f} MB, {LARGEST / 1e6:.1f} at most\n"
                f"draw fewer images: --points {max(1, findings.points // 2)}"
            )
    _replace(out, made)
    megabytes = ", ".join(f"{what} {size / 1e6:.1f} MB" for what, size in sizes.items())
    return f"{len(made)} files in {out}/: {megabytes}"


def _replace(out: Path, made: Mapping[str, bytes]) -> None:
    """Put a report in the place of an earlier one; without files only see whether that may be."""
    try:
        durable.written_earlier(out, made or (PAGE, PDF), names=FILES)
    except FileExistsError as error:
        raise UserError(f"{error.filename}: {error.strerror}\ngive another --report") from None
    if made:
        durable.replace_files(out, made, names=FILES)


def _pages(out: Path) -> list[Path]:
    """The folder's own; the README shows what is published, nothing else."""
    readme = [README] if out == Path(PUBLISHED) else []
    return [page for page in (out / PAGE, *readme) if page.exists()]


def _entries(store: Store, findings: Findings, out: Path) -> Iterator[Path]:
    for record in findings.records.values():
        for study in record.studies:
            if study.seconds and study.complete:  # the seconds are written at its end
                yield entries.keep(out, Search.of(record, study))
        for final in every_final(store, record):
            yield entries.keep(out, Final.of(final))


def published_here(findings: Findings, published: entries.Published) -> list[PipelineRecord]:
    """The published champions that the store holds.

    The best rerun of a store need not be one: another store may have had a better one.
    """
    best = {name: final.run for name, final in published.champions().items()}
    return [r for r in findings.records.values() if best.get(r.name) == r.run_id]


def _networks(store: Store, records: Sequence[PipelineRecord], out: Path) -> Iterator[Path]:
    """The files that `champions.load` reads in a clone.

    Raises:
        Failure: with those of the other pipelines they are larger than `LARGEST_WEIGHTS`.
    """
    for record in records:
        folder = published_folder(record.name, out)
        with TemporaryDirectory() as name:
            copies = {file: store.download(record.cell_run, file, Path(name)) for file in CHAMPION}
            made = {file: copy.read_bytes() for file, copy in copies.items() if copy}
        others = out.glob(f"*/{folder.name}/{WEIGHTS}")
        sizes = [file.stat().st_size for file in others if file.parent != folder]
        size = sum(sizes, start=len(made[WEIGHTS]))
        if size > LARGEST_WEIGHTS:
            raise Failure(
                f"the champions' weights take {size / 1e6:.1f} MB with those of {record.name}, "
                f"{LARGEST_WEIGHTS / 1e6:.1f} at most\n"
                "publish a smaller network: rerun.py --set width=16"
            )
        for file, content in made.items():
            yield durable.write(folder / file, content)
