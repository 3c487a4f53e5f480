"""The report: reads MLflow and the champions, computes, draws, writes.

    report.py           the command; build.py puts the parts together
    load.py             reads MLflow; records.py holds what it found, as plain data
    fingerprint.py      whether anything changed since the report was written
    cache.py            keeps what is expensive on disk
    document.py         the parts of a report: sections of text, figures, tables

    A folder a section, in the report's order. `compute_*` returns plain data, `draw_*` takes an
    axis; in chapter.py `section` puts text, figures and tables together:

    summary/            the champions, baselines, ablations, verdicts
    reasoning/          why each pipeline is built so
    history/            the searches
    reconstructions/    images beside what the decoder makes of them
    interpolation/      between two latents
    tsne/               latents and images in the plane, and numbers that t-SNE cannot fake
    latents/            the structure of the latent space
    mistakes/           confusion matrices, the most confident mistakes
    sweeps/             grids over one or two parameters
    reproduction.py     commands, seeds, versions, run ids

    Modules that the sections share:

    style.py            one look for all figures
    result_rows.py      the rows of a rerun's results
    sentences.py        pieces of sentences
    captions.py         where numbers come from, in words
    image_grid.py       many small images on one axis

    publication/        results that are kept in git; publish.py is the command

    writers/            write a document as one page, as a PDF, as single files

May import search/, trainers/, models/ and matplotlib; nothing imports it.
"""
