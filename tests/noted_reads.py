"""Parameters that note which of them are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class NotedReads(dict[str, Any]):
    """A dictionary; `read` holds the names that were asked for."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)
