"""Hash code: neither a file's place nor its comments and docstrings change the hash."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

from search.files import seals

ROOT = Path(__file__).resolve().parents[2]


def of_code(*patterns: str, file: Path | None = None) -> str:
    """16 hex digits over all files of the project that match, and one more.

    An import counts by the imported names alone, not by the module that they come from: moving code
    between files, or files between folders, must not train or draw anything again.

    Args:
        patterns: patterns of `Path.glob`, from the root of the project: `models/**/*.py`.
    """
    files = {path for pattern in patterns for path in ROOT.glob(pattern)}
    hashes = sorted(seals.once(_of_file, one) for one in files.union([file] if file else []))
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:16]


def _of_file(file: Path) -> str:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names.update(f"{alias.name} as {alias.asname or alias.name}" for alias in node.names)
    code = ast.dump(_Bare().visit(tree)) + " ".join(sorted(names))
    return hashlib.sha256(code.encode()).hexdigest()


class _Bare(ast.NodeTransformer):
    """Removes docstrings and imports; ast prescribes the methods' names."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else node

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None
