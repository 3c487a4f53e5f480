"""A GPU of fake tensors: shapes, types and devices without numbers, on a machine that has none.

torch's FakeTensorMode raises where tensors of two devices meet, or where a shape depends on a
value; CUDA's own rules of autocast apply. `Watch` counts the launches, and lists every reading of
a number from the device, every operation of a step that runs on the CPU, and every generator of
another device. Load `stand_in.cpp` before torch is imported: it is what a CPU build lacks.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils import _foreach_utils
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

ROOT = Path(__file__).resolve().parents[2]
LAYERS = (ROOT, ROOT / "search", ROOT / "trainers")
CUDA = torch.device("cuda:0")
RealGenerator = torch.Generator
# Views and bookkeeping, for which nothing is launched.
VIEWS = """view _unsafe_view t transpose permute expand slice select unsqueeze squeeze detach alias
as_strided split split_with_sizes unbind unfold empty empty_like new_empty empty_strided
new_empty_strided lift_fresh _reshape_alias diagonal is_same_size set_ detach_ device size stride
numel dim layout sym_size sym_stride sym_numel is_contiguous"""
FREE = frozenset(VIEWS.split())
ASKED: dict[int, torch.device] = {}  # generator -> the device that it was asked for


class Generator(RealGenerator):
    """One of the CPU; the device that it was asked for is remembered."""

    def __new__(cls, device: Any = "cpu") -> Self:
        made = RealGenerator.__new__(cls)
        ASKED[made._cdata] = torch.device(device)
        return made

    def __init__(self, device: Any = "cpu") -> None:
        pass


class Watch(TorchDispatchMode):
    """What happens while `on` is true.

    Attributes:
        launches: operations on the device.
        faults: what a step must not do, each with its line.
    """

    def __init__(self) -> None:
        super().__init__()
        self.on = False
        self.launches = 0
        self.faults: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation and look at its tensors."""
        kwargs = kwargs or {}
        name = func._schema.name.split("::")[1]
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        if name == "_local_scalar_dense":
            self.note("reads a number from the device")
            return 0.5 if given[0].is_floating_point() else 1
        if name.startswith("_fused_"):  # some have no shape function
            self.launches += self.on
            if {tensor.device.type for tensor in given} != {"cuda"}:
                self.note(f"{name} of tensors on the CPU")
            return None
        out = func(*args, **kwargs)
        made = [tensor for tensor in tree_leaves(out) if isinstance(tensor, Tensor)]
        kinds = {tensor.device.type for tensor in (*given, *made)}
        self.launches += self.on and name not in FREE and "cuda" in kinds
        if name in ("_to_copy", "copy_") and len(kinds) > 1:
            self.note("copies between the devices")
        elif name not in FREE and kinds == {"cpu"}:
            self.note(f"{name} on the CPU")
        generator = kwargs.get("generator")
        asked = ASKED.get(generator._cdata, torch.device("cpu")) if generator else None
        if asked and made and asked.type != made[0].device.type:
            self.note("draws from another device's generator")
        return out

    def note(self, what: str) -> None:
        """Count a fault, and the project's line that makes it."""
        if self.on:
            frames = [f for f in traceback.extract_stack() if f.filename.startswith(str(ROOT))]
            inside = [
                f for f in frames if "/tests/" not in f.filename and ".venv" not in f.filename
            ]
            line = f"{Path(inside[-1].filename).name}:{inside[-1].lineno}" if inside else "?"
            self.faults[f"{line} {what}"] += 1


class Python(TorchFunctionMode):
    """What Python does with tensors beside operations, for which a CPU build has no guard."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Index through aten, and put what Python lists give onto the device."""
        kwargs = dict(kwargs or {})
        if func is Tensor.__getitem__:
            return _taken(*args)
        if func is Tensor.__iter__:
            return iter(args[0].unbind(0))
        if func is torch.equal:
            self.watch.note("reads numbers from the device")
            return True
        if func is Tensor.tolist:
            self.watch.note("reads numbers from the device")
            return [0.5] * args[0].numel()
        if func is torch.tensor and torch.device(kwargs.get("device") or "cpu").type == "cuda":
            device = kwargs.pop("device")
            return func(*args, **kwargs).to(device)
        return func(*args, **kwargs)


def _taken(tensor: Tensor, index: Any) -> Tensor:
    """`tensor[index]` of numbers, slices, None, Ellipsis and tensors."""
    index = index if isinstance(index, tuple) else (index,)
    if Ellipsis in [i for i in index if not isinstance(i, Tensor)]:
        at = next(n for n, i in enumerate(index) if i is Ellipsis)
        known = sum(i is not None and i is not Ellipsis for i in index)
        index = (*index[:at], *[slice(None)] * (tensor.dim() - known), *index[at + 1 :])
    dim, picked = 0, {}
    aten = torch.ops.aten
    for i in index:
        if isinstance(i, int) and not isinstance(i, bool):
            tensor = aten.select(tensor, dim, i)
            continue
        if i is None:
            tensor = aten.unsqueeze(tensor, dim)
        elif isinstance(i, slice):
            start, stop, step = i.indices(tensor.shape[dim])
            tensor = aten.slice(tensor, dim, start, stop, step)
        else:
            picked[dim] = i
        dim += 1
    places = range(max(picked, default=-1) + 1)
    return aten.index(tensor, [picked.get(d) for d in places]) if picked else tensor


class Autocast(AbstractContextManager[Any]):
    """torch.autocast, which asks whether there is a GPU."""

    def __init__(self, device_type: str, dtype: Any = torch.bfloat16, enabled: bool = True) -> None:
        self.kind, self.dtype, self.enabled = device_type, dtype, enabled

    def __enter__(self) -> Self:
        self.before = torch.is_autocast_enabled(self.kind), torch.get_autocast_dtype(self.kind)
        torch.set_autocast_enabled(self.kind, self.enabled)
        torch.set_autocast_dtype(self.kind, self.dtype)
        torch.autocast_increment_nesting()
        return self

    def __exit__(self, *error: object) -> None:
        if torch.autocast_decrement_nesting() == 0:
            torch.clear_autocast_cache()
        torch.set_autocast_enabled(self.kind, self.before[0])
        torch.set_autocast_dtype(self.kind, self.before[1])


def moved(module: torch.nn.Module, device: Any, *, memory_format: Any = None) -> torch.nn.Module:
    """`module.to(device)` of fake parameters, which torch cannot swap."""
    for part in module.modules():
        for store in (part._parameters, part._buffers):
            for name, tensor in store.items():
                if tensor is not None:
                    there = tensor.detach().to(device)
                    if memory_format and there.dim() == 4:
                        there = there.to(memory_format=memory_format)
                    learns = isinstance(tensor, torch.nn.Parameter)
                    kept = torch.nn.Parameter(there, tensor.requires_grad) if learns else there
                    store[name] = kept  # type: ignore[index]
    return module


@contextmanager
def fake_cuda() -> Iterator[Watch]:
    """Whoever asks torch for a GPU gets one."""
    watch = Watch()
    if FakeTensor not in _foreach_utils._foreach_supported_types:  # else a kernel a tensor
        _foreach_utils._foreach_supported_types.append(FakeTensor)
    with ExitStack() as stack:
        for owner, name, replacement in (
            (torch, "Generator", Generator),
            (torch, "autocast", Autocast),
            (torch.nn.Module, "to", moved),
            (torch.cuda, "get_rng_state", lambda *given: torch.zeros(16, dtype=torch.uint8)),
        ):
            stack.enter_context(patch.object(owner, name, replacement))
        for mode in (FakeTensorMode(allow_non_fake_inputs=True), watch, Python(watch)):
            stack.enter_context(mode)
        yield watch
