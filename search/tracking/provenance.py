"""The origin of a number: the commit of the code, the versions of libraries, the machine."""

from __future__ import annotations

import hashlib
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from search.cluster.resources import cpu_count, gpu_count
from search.spaces.goals import GOALS, LIMITS
from search.spaces.pipeline import source_of

GPUS = Path("/proc/driver/nvidia/gpus")
HOME_TAG = "home"
SOURCE = "pipeline_source"  # of a user's own pipeline: 12 hex digits of its text
TWIN_OF = "twin_of"  # of a random search and its trials: the study that it is measured against
NONE = "none"  # as a study's run says that `--set` was not given


def source_tags(root: Path) -> dict[str, str]:
    """The commit of the code as a tag, with `+` if the code has uncommitted changes."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        commit = git("rev-parse", "HEAD")
        changed = bool(commit) and bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"mlflow.source.git.commit": commit + "+" * changed} if commit else {}


def pipeline_tags(name: str) -> dict[str, str]:
    """The text of a user's own pipeline, as a tag; none of a built-in one."""
    source = source_of(name)
    return {SOURCE: hashlib.sha256(source.encode()).hexdigest()[:12]} if source else {}


def versions() -> dict[str, str]:
    """The versions of the libraries that a result depends on, as tags."""
    from importlib.metadata import version

    names = ("torch", "ray", "optuna", "mlflow")
    return {"python": sys.version.split()[0]} | {name: version(name) for name in names}


def home_tag(home: Path) -> dict[str, str]:
    """A tag that tells apart the homes of one MLflow server: a hash of machine and folder."""
    place = f"{platform.node()}:{home.resolve()}"
    return {HOME_TAG: hashlib.sha256(place.encode()).hexdigest()[:12]}


def machine(device: str = "cpu") -> str:
    """The machine: `2 x AMD EPYC`; for `cuda` the GPUs come first.

    Args:
        device: `cpu` or `cuda`. GPUs that only other nodes of a cluster have are not named.
    """
    cpus = f"{cpu_count()} x {processor()}"
    if device == "cpu":
        return cpus
    count = gpu_count()
    return f"{count} x {_gpu()}, {cpus}" if count else f"GPUs of a cluster, led from {cpus}"


def _gpu() -> str:
    """The first GPU's name as its driver writes it: to ask CUDA would take half a GiB of its memory
    for as long as the search lasts, and a GPU in exclusive mode altogether.
    """
    for file in sorted(GPUS.glob("*/information")):
        for line in file.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name == "Model":
                return value.strip()
    return "GPU"


def processor() -> str:
    """The processor's name, from Linux if it gives one."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def search_command(
    tags: Mapping[str, str],
    params: Mapping[str, str],
    *,
    trials: int,
    images: int,
    more: Sequence[str] = (),
) -> str:
    """The call that makes a study, from its run's tags and parameters; `more` ends it.

    Args:
        images: all training images of the data set.
    """
    words = ["python", "search/tune.py", "--pipeline", tags["pipeline"], "--study", tags["study"]]
    words += ["--trials", str(trials)]
    words += ["--epochs", params["epochs"]] if "epochs" in params else []
    for option in ("sampler", "scheduler", "seed"):
        words += [f"--{option}", tags[option]] if option in tags else []
    if int(params.get("train_size", images)) < images:
        words += ["--train-size", params["train_size"]]
    for option, tag in (("--limit", LIMITS), ("--objective", GOALS)):
        for aim in tags.get(tag, "").split():
            words += [option, aim]
    for setting in shlex.split(params.get("set", NONE)):
        words += ["--set", setting] if setting != NONE else []
    return shlex.join([*words, *more])
