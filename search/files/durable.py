"""Write files whole or not at all, and onto the disk itself: a machine may stop at any time."""

from __future__ import annotations

import errno
import glob
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that takes the place of `path` at the end; after an error `path` is unchanged.

    The function creates the folder and removes the parts that killed processes left of the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".*-{glob.escape(path.name)}"):
        pid = left.name[1:].partition("-")[0]
        if pid.isdigit() and not _is_alive(int(pid)):
            left.unlink(missing_ok=True)
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    sync(path.parent)


def write(path: Path, content: bytes | str) -> Path:
    """Write the file; returns its path."""
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return path


def replace_files(folder: Path, contents: Mapping[str, bytes], *, names: str) -> list[Path]:
    """Write files into a folder, in order; remove what only an earlier call wrote there.

    Args:
        contents: by path below the folder.
        names: the file that keeps their paths, so that a call that was killed can be repeated.

    Raises:
        FileExistsError: a file is there that no call has written; nothing is changed then.
    """
    kept, earlier = folder / names, written_earlier(folder, contents, names=names)
    write(kept, "".join(f"{name}\n" for name in sorted({*earlier, *contents})))
    written = [write(folder / name, content) for name, content in contents.items()]
    for name in earlier - contents.keys():
        (folder / name).unlink(missing_ok=True)
    return [*written, write(kept, "".join(f"{name}\n" for name in sorted(contents)))]


def written_earlier(folder: Path, wanted: Iterable[str], *, names: str) -> set[str]:
    """Paths of the files that earlier calls of `replace_files` wrote.

    Raises:
        FileExistsError: one of `wanted` is there and is not among them.
    """
    kept = folder / names
    earlier = set(kept.read_text(encoding="utf-8").split()) if kept.exists() else set()
    for name in wanted:
        if name not in earlier and (folder / name).exists():
            raise FileExistsError(errno.EEXIST, "not written by this command", str(folder / name))
    return earlier


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
