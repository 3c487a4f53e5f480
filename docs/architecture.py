"""Draws the packages from their imports: `python docs/architecture.py` renews the page."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "```mermaid\n", "```\n"
LAYERS = ("models", "trainers", "search", "analysis")


def package(name: str) -> str | None:
    """The box that a module stands in: a room of search/, or a whole layer."""
    layer, *rest = name.split(".")
    if layer not in LAYERS:
        return None
    if layer != "search":
        return layer
    if not rest:
        return None
    return f"search/{rest[0]}" if (ROOT / "search" / rest[0]).is_dir() else f"{rest[0]}.py"


def arrows() -> dict[str, set[str]]:
    """Box -> the boxes that its files import."""
    found: dict[str, set[str]] = {}
    for layer in LAYERS:
        for file in sorted((ROOT / layer).rglob("*.py")):
            box = package(".".join(file.relative_to(ROOT).with_suffix("").parts))
            if box is None or box == "__init__.py":
                continue
            named = found.setdefault(box, set())
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module:
                    named |= {package(f"{node.module}.{alias.name}") or box for alias in node.names}
            named.discard(box)
    return found


def reduced(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without the arrows that a longer way makes superfluous."""

    def reach(start: str) -> set[str]:
        return {start}.union(*(reach(after) for after in graph[start]))

    return {
        box: {one for one in after if not any(one in reach(other) for other in after - {one})}
        for box, after in graph.items()
    }


def drawing() -> str:
    """The graph in Mermaid's words, which GitHub draws. Errors, which all import, are left out."""
    graph = arrows()
    for box in ("errors.py", "search/errors"):
        graph.pop(box, None)
    graph = {box: after - {"errors.py"} for box, after in graph.items()}
    lines = [BEGIN + "graph TD"]
    for box, after in reduced(graph).items():
        lines += [f'    {_id(box)}["{box}"] --> {_id(other)}["{other}"]' for other in sorted(after)]
    return "\n".join(lines) + "\n" + END


def _id(box: str) -> str:
    return box.replace("/", "_").replace(".", "_")


def renewed(page: str) -> str:
    """The page with today's drawing."""
    before, _, rest = page.partition(BEGIN)
    return before + drawing() + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
