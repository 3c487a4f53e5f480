"""The version of the protocol: how latents are measured, the same for all that stand in one table.

`docs/protocol.md` says what it is, why, and what earlier versions were. Every study and every final
number carries the version. Whatever changes a measurement of the same weights (`classifiers`,
`evaluation`, the split) makes a new one; no number of the test set may be the reason for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VERSION = 2
LAST = "hidden 512-512"  # how the classifier's line of version 1 begins


def version_of(result: Mapping[str, Any]) -> int:
    """The version that a rerun, a sweep or a published file was measured by.

    Before version 2 a line for the classifier stood there. That of version 1 has two hidden
    layers; 0 stands for all classifiers before it.
    """
    if "protocol" in result:
        return int(result["protocol"])
    return int(result.get("classifier", LAST).startswith(LAST))
