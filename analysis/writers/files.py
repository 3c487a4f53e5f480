"""Draws a document's figures once, and writes figures and tables as single files."""

from __future__ import annotations

import csv
import io
import re
import struct
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageStat

from analysis import style
from analysis.cache import Cache
from analysis.document import Cell, Document, Figure, Table, shown
from analysis.writers.inline_markup import Kind, convert, plain
from search.files import durable

NAME = re.compile(r"[A-Za-z0-9_]+")
SEEN = 1.0  # of 255: a mean change of colours that could be seen
MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"
NUMBER = re.compile(
    rf"[<≈]?\s*([+\-{MINUS}]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)(?=$|\s*[%±({TIMES}k]|\s+\D)"
)


def _greek(name: str) -> str:
    case = "CAPITAL" if name[0].isupper() else "SMALL"
    return unicodedata.lookup(f"GREEK {case} LETTER {name.upper().replace('LAMBDA', 'LAMDA')}")


GREEK = ("alpha", "beta", "gamma", "lambda", "mu", "rho", "sigma", "tau", "Delta")
LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "…": r"\ldots{}", "·": r"$\cdot$"},
    **{"\N{EN DASH}": "--", "\N{EM DASH}": "---", MINUS: "$-$", TIMES: r"$\times$"},
    **{"±": r"$\pm$", "→": r"$\rightarrow$", "²": r"$^2$", "≤": r"$\le$", "≥": r"$\ge$"},
    **{"≈": r"$\approx$", "µ": r"$\mu$"},
    **{_greek(name): rf"$\{name}$" for name in GREEK},
}


@dataclass(frozen=True)
class Picture:
    """A figure as drawn.

    Attributes:
        png: at 160 dots an inch.
        svg: text, every letter a path.
    """

    png: bytes
    svg: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the PNG in dots."""
        width, height = struct.unpack(">II", self.png[16:24])  # of its first chunk, IHDR
        return int(width), int(height)

    @property
    def small(self) -> bytes:
        """The PNG with a palette, less than half as long; as it is where that would be seen."""
        image = Image.open(io.BytesIO(self.png)).convert("RGB")
        reduced = image.quantize(256, dither=Image.Dither.NONE)
        change = ImageStat.Stat(ImageChops.difference(image, reduced.convert("RGB"))).mean
        if max(change) > SEEN:
            return self.png
        content = io.BytesIO()
        reduced.save(content, "png", optimize=True)
        return content.getvalue()


Pictures = Mapping[str, Picture]  # by the figures' names


def render(
    document: Document, *, cache: Cache | None = None, key: Mapping[str, object] | None = None
) -> dict[str, Picture]:
    """Draw every figure, once.

    Args:
        document: whose figures.
        cache: where pictures are kept, with `key`; without it all are drawn.
        key: all that the pictures follow from, of `fingerprint.key`.

    Raises:
        ValueError: two figures or two tables bear one name, or a name is not valid for a file.
    """
    names = [figure.name for figure in document.figures]
    _check_names(names)
    _check_names([table.name for table in document.tables])

    def drawn() -> dict[str, np.ndarray]:
        pictures = {figure.name: _draw(figure) for figure in document.figures}
        return {
            f"{kind} {name}": np.frombuffer(content, dtype=np.uint8)
            for name, picture in pictures.items()
            for kind, content in (("png", picture.png), ("svg", picture.svg.encode()))
        }

    asked = {**(key or {}), "names": names}
    stored = cache.get("pictures", asked, drawn, only=True) if cache else drawn()
    return {
        name: Picture(stored[f"png {name}"].tobytes(), stored[f"svg {name}"].tobytes().decode())
        for name in names
    }


def _draw(figure: Figure) -> Picture:
    canvas = figure.draw()
    try:
        png, svg = io.BytesIO(), io.StringIO()
        # Without the date and the version the same figure is the same file.
        canvas.savefig(png, format="png", metadata={"Software": None})
        canvas.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    finally:
        style.close(canvas)
    return Picture(png.getvalue(), svg.getvalue())


def write(document: Document, pictures: Pictures, out: Path, kind: str) -> list[Path]:
    """Write the files of one kind: `figures/<name>.png|svg` or `tables/<name>.csv|tex`.

    Returns their paths, in the document's order.
    """
    contents: dict[str, bytes | str] = {}
    if kind in ("png", "svg"):
        contents = {f"figures/{f.name}": getattr(pictures[f.name], kind) for f in document.figures}
    else:
        text_of = {"csv": csv_text, "tex": tex_text}[kind]
        contents = {f"tables/{table.name}": text_of(table) for table in document.tables}
    return [durable.write(out / f"{name}.{kind}", content) for name, content in contents.items()]


def csv_text(table: Table) -> str:
    """The table as CSV; floats as they are, not rounded."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([plain(column) for column in table.columns])
    for row in table.rows:
        lines.writerow([plain(cell) if isinstance(cell, str) else cell for cell in row])
    return text.getvalue()


def tex_text(table: Table) -> str:
    """The table as a LaTeX tabular that needs no package; title and caption as comments."""
    columns = range(len(table.columns))
    aligned = "".join("r" if is_numeric(table, column) else "l" for column in columns)
    # Some programs end a line, and with it a comment, at more than a line feed.
    lines = [f"% {' '.join(plain(text).split())}" for text in (table.title, table.caption)]
    lines += [rf"\begin{{tabular}}{{{aligned}}}", r"\hline"]
    lines += [_tex_row(table.columns, bold=True), r"\hline"]
    lines += [_tex_row(row, bold=index in table.bold) for index, row in enumerate(table.rows)]
    return "\n".join([*lines, r"\hline", r"\end{tabular}", ""])


def number(cell: Cell) -> float | None:
    """The number that a cell sorts by, if any: 98.21 for `98.21 ± 0.30`, 98 for `98k`."""
    if isinstance(cell, int | float):
        return float(cell)
    match = NUMBER.match(plain(cell)) if cell else None
    return float(match[1].replace(",", "").replace(MINUS, "-")) if match else None


def is_numeric(table: Table, column: int) -> bool:
    """Whether a column holds numbers, and nothing beside them but gaps."""
    cells = [row[column] for row in table.rows if row[column] not in (None, "")]
    return bool(cells) and all(number(cell) is not None for cell in cells)


def _check_names(names: list[str]) -> None:
    for name in names:
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a file: letters, digits and _ are allowed")
        if names.count(name) > 1:
            raise ValueError(f"{names.count(name)} figures or tables are called {name!r}")


def _tex_row(cells: tuple[Cell, ...] | tuple[str, ...], *, bold: bool) -> str:
    fields = [convert(shown(cell), _tex) for cell in cells]
    return " & ".join(rf"\textbf{{{c}}}" if bold and c else c for c in fields) + r" \\"


def _tex(kind: Kind, words: str, address: str) -> str:
    if kind in ("bold", "italic"):
        return rf"\text{'bf' if kind == 'bold' else 'it'}{{{words}}}"
    escaped = "".join(LATEX.get(sign, sign) for sign in words)
    return rf"\texttt{{{escaped}}}" if kind == "code" else escaped
