"""From the published parts to what a report is drawn from, whichever machines they come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analysis.cache import Cache
from analysis.load import Images
from analysis.publication.entries import Final, Published
from analysis.records import BUILT_IN, OF_ANY_IMAGES, SIX, Findings, PipelineRecord, SweepRecord
from search.cells.opening import open_folder
from search.champions import published_folder
from search.errors import Failure
from search.grids.sweep import sweep_names
from search.spaces.pipeline import load_pipeline


def assemble(
    published: Published,
    folder: Path,
    *,
    images: Images,
    points: int,
    sweeps: Sequence[SweepRecord] = (),
) -> Findings:
    """The champions with their searches, as `analysis.load.find` finds them in a store.

    Args:
        published: all entries of `folder`, which has the champions' networks too.

    Raises:
        UserError: a champion's network is missing, damaged or another's.
    """
    published = published.of_one_protocol()
    cache = Cache(images.home / "analysis_cache")
    records = {
        name: _record(final, published, published_folder(name, folder), images, cache)
        for name, final in published.champions().items()
    }
    expected = SIX if images.label in BUILT_IN else OF_ANY_IMAGES
    swept = {record.name for record in sweeps}
    return Findings(
        records=records,
        missing={n: f"python search/tune.py --pipeline {n}" for n in expected if n not in records},
        sweeps=tuple(sweeps),
        unswept=tuple(name for name in sweep_names() if name not in swept),
        data=images.label,
        data_words=images.words,
        seed=0,
        points=points,
        embedding="tsne",
        cache=cache,
        source=f"what is published in `{folder}/`",
        protocol=published.protocol,
    )


def _record(
    final: Final, published: Published, folder: Path, images: Images, cache: Cache
) -> PipelineRecord:
    name = final.pipeline
    mend = f"bring it back: git checkout -- {folder}"
    opened = open_folder(folder, f"the published {name}", mend=mend)
    if opened.info["cell"] != final.result["model"]["cell"]:
        raise Failure(f"{folder}/ is not the network whose final numbers are published\n{mend}")
    pipeline = load_pipeline(name)
    data = images.training(name)
    studies = (search.study for search in published.searches.get(name, ()))
    return PipelineRecord(
        name=name,
        pipeline=pipeline,
        final=True,
        run_id=final.run,
        command=final.command,
        result={**final.result, "comparisons": published.comparisons(final)},
        split="test",
        images=images.test(data, opened.weights),
        data=data,
        studies=tuple(s for s in studies if s.tags.get("data_fingerprint") == data.fingerprint),
        cache=cache,
        **vars(opened),
    )
