"""Imports torchvision, also where its compiled operators do not fit the installed torch.

The published torchvision wheel wants CUDA libraries.  Beside a CPU-only torch its operators do not
load, and `import torchvision` stops with "operator torchvision::nms does not exist": it registers
gradients and shapes for operators that were never declared.  Data sets, transforms and models need
none of them, so declaring their names is enough to let the import pass.  Calling one of them
(`torchvision.ops.nms` and the like) still fails, with torchvision's own message.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_OPERATORS = (
    "nms",
    "qnms",
    "roi_align",
    "qroi_align",
    "_roi_align_backward",
    "ps_roi_align",
    "_ps_roi_align_backward",
    "roi_pool",
    "_roi_pool_backward",
    "ps_roi_pool",
    "_ps_roi_pool_backward",
    "deform_conv2d",
    "_deform_conv2d_backward",
)

_declared: list[
    Any
] = []  # torch forgets an operator once the Library that declared it is collected


def import_torchvision() -> ModuleType:
    """The torchvision package, with `datasets` and `transforms` imported.

    Raises ImportError where torchvision is not installed, and torchvision's own RuntimeError where
    its import fails for a reason other than missing operators.
    """
    try:
        package = importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        _declare_operators()
        # The failed import leaves its submodules behind, some of them half run.
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        package = importlib.import_module("torchvision")
    for submodule in ("datasets", "transforms"):
        importlib.import_module(f"torchvision.{submodule}")
    return package


def _declare_operators() -> None:
    import torch

    declare: Any = torch.library.Library  # Any: torch leaves this class untyped
    library = declare("torchvision", "FRAGMENT")
    for name in _OPERATORS:
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor x) -> Tensor")
    _declared.append(library)
