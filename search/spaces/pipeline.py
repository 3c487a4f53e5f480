"""The definition of a pipeline, and the loading of one by its name."""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import linecache
import sys
import traceback
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.errors import UserError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from trainers.data import DatasetSpec
    from trainers.methods import Method

    Build = Callable[[Mapping[str, Any], DatasetSpec], Method]

Scalar = str | int | float | bool
Params = Mapping[str, Any]
METRIC = "valid/accuracy"
OBJECTIVE = "objective"  # what a trial is worth: the pipeline's metric at its end, and only there
LATENT_DIM = 128
FOLDER = Path(__file__).parents[1] / "pipelines"
GROUP = "latent_search.pipelines"  # entry points of installed packages


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A data set and a method, with the space that a search walks through.

    Attributes:
        summary: one line for lists and tables.
        reasoning: the reasons for its design, with sources; the report prints it.
        dataset: a key of `trainers.data.DATASETS`; empty where any images will do.
        images: the description of the images, once `on` has set it.
        uses_labels: whether the encoder's training looks at labels; shown in every table.
        space: Optuna's distributions by parameter name, bounds inclusive.
        defaults: a configuration inside the space, tried as trial 0.
        build: (params, data set) -> a method with fresh weights from torch's global seed; or the
            name of such a function in `search.spaces.builders`, which imports torch.
        epochs: the default budget of a trial.
        metric: the metric that the search maximises.
        ablation: the same encoder, augmentation and budget without the method's added logic; the
            gain of that logic is measured against it.
        reconstructs: whether its task is the picture: on real data its champion must reconstruct at
            least as well as PCA with as many numbers.
    """

    summary: str
    reasoning: str
    dataset: str
    uses_labels: bool
    space: Mapping[str, BaseDistribution]
    defaults: Mapping[str, Scalar]
    build: Build | str
    epochs: int
    metric: str = METRIC
    ablation: Build | str | None = None
    reconstructs: bool = False
    images: DatasetSpec | None = None

    @property
    def spec(self) -> DatasetSpec:
        """The description of the images; those of CIFAR-10 stand for any until these are known."""
        from trainers.data import DATASETS  # numpy's import is too slow for `--help`

        return self.images or DATASETS[self.dataset or "cifar"]

    def on(self, spec: DatasetSpec | None) -> Pipeline:
        """The pipeline for images of this description, or as it is for None.

        One for any images loses the parameters that make no difference to these.

        Raises:
            UserError: the networks are made for other images.
        """
        if spec is None:
            return self
        changes: dict[str, Any] = {"images": spec}
        if not spec.classes:
            changes["metric"] = self._metric_without_labels(spec)
        if not self.dataset:
            without = ("views",) * spec.glyphs + ("brightness_weight",) * (spec.channels == 1)
            space = {name: kind for name, kind in self.space.items() if name not in without}
            defaults = {name: self.defaults[name] for name in space}
            return replace(self, **changes, space=space, defaults=defaults)
        made_for, given = ((s.channels, s.size) for s in (self.spec, spec))
        if made_for != given:
            raise UserError(
                f"the pipeline is made for {_in_pixels(*made_for)}, these are "
                f"{_in_pixels(*given)}\n"
                "use image_autoencoder, image_supervised or image_contrastive, which take any"
            )
        return replace(self, **changes)

    def _metric_without_labels(self, spec: DatasetSpec) -> str:
        """What is maximised: what latents tell of an image's views, or the error, negated.

        Raises:
            UserError: nothing can be learned without labels.
        """
        if self.uses_labels:
            raise UserError(
                f"{spec.name} has no labels, and the pipeline learns from them\n"
                "use image_autoencoder or image_contrastive, or give the labels: "
                "a folder a class, or an array `labels`"
            )
        if self.metric != METRIC:
            return self.metric
        return "valid/neg_mae" if self.reconstructs else "valid/view_information"

    def builder(self, *, ablation: bool = False) -> Build:
        """The function that builds the method, or its ablation.

        Raises:
            ValueError: there is no ablation.
        """
        chosen = self.ablation if ablation else self.build
        if chosen is None:
            raise ValueError(f"there is no ablation of: {self.summary}")
        if isinstance(chosen, str):
            chosen = getattr(importlib.import_module("search.spaces.builders"), chosen)
        return chosen

    def method(self, params: Params, *, ablation: bool = False) -> Any:
        """The method that `params` describe: a module with fresh weights, from torch's seed."""
        return self.builder(ablation=ablation)(params, self.spec)


def pipeline_names() -> list[str]:
    """The names of all pipelines: of the files here, of installed packages, of files adopted.

    The function imports none of them.
    """
    built_in = [p.stem for p in FOLDER.glob("*.py") if not p.stem.startswith("_")]
    return sorted({*built_in, *_installed(), *_adopted})


def load_pipeline(name: str) -> Pipeline:
    """The pipeline of that name.

    Raises:
        KeyError: no pipeline has that name; the message names the nearest.
        UserError: an installed package's cannot be loaded.
    """
    if name not in _adopted and name in _installed():
        adopt(name, _source_of_module(_installed()[name]))
    if name in _adopted:
        return _adopted[name][1]
    if name not in pipeline_names():
        raise KeyError(f"no pipeline {name!r}{nearest(name, pipeline_names())}")
    pipeline = importlib.import_module(f"search.pipelines.{name}").PIPELINE
    assert isinstance(pipeline, Pipeline)
    return pipeline


def pipeline_of(record: Mapping[str, Any]) -> Pipeline:
    """The pipeline of a trial, a cell or a study: by its `source` where it is a user's own.

    Raises:
        KeyError, UserError: there is no such pipeline, or the source fails.
    """
    name, source = record["pipeline"], record.get("source")
    return adopt(name, source) if source else load_pipeline(name)


# A user's own ------------------------------------------------------------------------------------


_adopted: dict[str, tuple[str, Pipeline]] = {}  # name -> (source, pipeline), the latest


def source_of(name: str) -> str | None:
    """The text of the file that defines the pipeline; None for one that is built in."""
    if name not in _adopted and name in _installed():
        load_pipeline(name)
    return _adopted[name][0] if name in _adopted else None


def read_own(file: Path) -> str:
    """Adopt the pipeline of a user's file; returns its name, which is the file's.

    Raises:
        UserError: the file is missing, has the name of a built-in pipeline, or fails.
    """
    name = file.stem
    if not name.isidentifier():
        raise UserError(f"{file}: {name!r} is no name in Python\nrename the file")
    try:
        source = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {getattr(error, 'strerror', error)}") from None
    adopt(name, source)
    return name


def adopt(name: str, source: str) -> Pipeline:
    """Run the text of a file with a `PIPELINE`; `load_pipeline` gives it by this name from then on.

    The text, and no path, travels with trials and studies, so that a worker, a resumed study and a
    replay need no file.

    Raises:
        UserError: it fails, has no `PIPELINE`, or one with a default outside its space.
    """
    if (FOLDER / f"{name}.py").exists():
        raise UserError(f"{name}.py: {name!r} is a built-in pipeline's\nrename the file")
    if name in _adopted and _adopted[name][0] == source:
        return _adopted[name][1]
    file = f"<pipeline {name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)  # for tracebacks
    module = types.ModuleType(f"latent_search_pipeline_{name}")
    sys.modules[module.__name__] = module  # dataclasses look there for their module
    try:
        exec(compile(source, file, "exec"), vars(module))
    except Exception as error:
        at = [f"line {f.lineno}" for f in traceback.extract_tb(error.__traceback__) if f[0] == file]
        reason = (str(error).splitlines() or [""])[0][:200]
        where = f", {at[-1]}" if at else ""
        raise UserError(
            f"{name}.py{where}: {type(error).__name__}: {reason}\nmend the file"
        ) from None
    pipeline = getattr(module, "PIPELINE", None)
    if not isinstance(pipeline, Pipeline):
        raise UserError(
            f"{name}.py has no PIPELINE = Pipeline(...)\nexamples/my_pipeline.py shows one"
        )
    for parameter in {**pipeline.space, **pipeline.defaults}:
        given, kind = pipeline.defaults.get(parameter), pipeline.space.get(parameter)
        if kind is None or given is None or not _holds(kind, given):
            raise UserError(
                f"{name}.py: the default {parameter}={given!r} is not in the space: {kind}\n"
                "give every parameter of the space a default inside it"
            )
    _adopted[name] = source, pipeline
    return pipeline


def _holds(kind: Any, value: Scalar) -> bool:
    """Whether a distribution has the value."""
    if hasattr(kind, "choices"):
        return value in kind.choices
    return isinstance(value, int | float) and bool(kind.low <= value <= kind.high)


@functools.cache
def _installed() -> dict[str, str]:
    """Name -> module, of the pipelines of installed packages."""
    found = metadata.entry_points(group=GROUP)
    return {
        point.name: point.module for point in found if not (FOLDER / f"{point.name}.py").exists()
    }


def _source_of_module(module: str) -> str:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise UserError(f"the installed pipeline in {module} is gone\ninstall its package again")
    return Path(spec.origin).read_text(encoding="utf-8")


# Experiments -------------------------------------------------------------------------------------


def experiment_name(pipeline: str, data: str) -> str:
    """The name of MLflow's experiment: each data has one of its own.

    Args:
        data: `real`, `mini` or the name of a user's own images.
    """
    return pipeline + {"real": "", "mini": "-mini"}.get(data, f"@{data}")


def of_experiment(name: str) -> tuple[str, str]:
    """The inverse: (pipeline, data)."""
    pipeline, _, own = name.partition("@")
    if own:
        return pipeline, own
    return name.removesuffix("-mini"), "mini" if name.endswith("-mini") else "real"


def _in_pixels(channels: int, size: int) -> str:
    """`grey images of 28 x 28`."""
    return f"{'grey' if channels == 1 else 'colour'} images of {size} x {size}"


def nearest(given: str, allowed: list[str]) -> str:
    """`; did you mean X?` for a close match, else the list of the allowed names."""
    close = difflib.get_close_matches(given, allowed, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; there are: {', '.join(allowed)}"
