"""JSON with hashes of itself and of the files beside it, so that readers detect damage."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

HASHES = "hashes"  # file -> its hash; older files have no hashes to compare
ITSELF = "itself"
WEIGHTS_TAG = "weights"  # the tag of a trial's run that holds the hash of its weights
T = TypeVar("T")


def file_hash(file: Path) -> str:
    """16 hex digits of a file's bytes."""
    return once(_hash_of, file)


def once(look: Callable[[Path], T], file: Path) -> T:
    """The result of `look(file)`, computed once for as long as nobody writes to the file."""
    status = file.stat()
    result: T = _once(look, file, status.st_mtime_ns, status.st_size, status.st_ino)
    return result


@functools.lru_cache(maxsize=10_000)
def _once(look: Callable[[Path], Any], file: Path, *_: int) -> Any:
    return look(file)


def _hash_of(file: Path) -> str:
    return _hash(file.read_bytes())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def seal(content: Mapping[str, Any], files: Mapping[str, Path]) -> dict[str, Any]:
    """The content with the hashes of these files and of itself."""
    hashes = {name: file_hash(file) for name, file in files.items()}
    return {**content, HASHES: {**hashes, ITSELF: _hash(_text({**content, HASHES: hashes}))}}


def read(file: Path) -> dict[str, Any]:
    """A JSON object as it was sealed.

    Raises:
        OSError, ValueError: the file cannot be read, is not a JSON object, or was changed.
    """
    try:
        content = json.loads(file.read_bytes())
    except RecursionError:
        raise ValueError(f"{file.name} is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError(f"{file.name} is not a JSON object")
    hashes = dict(content.get(HASHES, {}))
    known = hashes.pop(ITSELF, None)
    if known and known != _hash(_text({**content, HASHES: hashes})):
        raise ValueError(f"{file.name} was changed")
    return content


def damaged(folder: Path, name: str, others: Mapping[str, Callable[[Path], object]]) -> str | None:
    """The first of these files that is missing, unreadable or changed; None if all are sound.

    Args:
        name: the file that holds the hashes.
        others: file -> a reader that raises if it cannot read the file, for files without a hash.
    """
    try:
        hashes = read(folder / name).get(HASHES, {})
    except (OSError, ValueError):
        return name
    for other, look in others.items():
        try:
            if other not in hashes:
                look(folder / other)
            elif file_hash(folder / other) != hashes[other]:
                return other
        except Exception:  # a damaged file can raise anything in its reader
            return other
    return None


def _text(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True).encode()
