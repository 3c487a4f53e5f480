"""Damage that leaves a file's size as it was."""

from __future__ import annotations

from pathlib import Path


def flip(file: Path) -> None:
    """Turn over a bit in the middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
