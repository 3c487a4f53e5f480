"""The files in deploy/ parse, and what they call exists: none can be run here."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from mlflow.cli import server
from ray.scripts.scripts import healthcheck, start

from search import tune

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
TEXTS = {
    **{file.name: file.read_text() for file in sorted(DEPLOY.iterdir())},
    "../docs/cluster.md": (ROOT / "docs" / "cluster.md").read_text(),
}
SERVED = {"ray start": start, "ray health-check": healthcheck, "mlflow server": server}


def calls(command: str) -> Iterator[tuple[str, list[str]]]:
    """(file, arguments) of each call, shell variables left in them."""
    for name, text in TEXTS.items():
        if name.endswith((".yaml", ".yml")):
            lines = list(strings(list(yaml.safe_load_all(text))))
        else:
            lines = re.sub(r"\\\n\s*", "", text).splitlines()
        for line in lines:
            before, found, after = line.partition(command + " ")
            if found and "#" not in before and "`" not in before:
                arguments = shlex.split(
                    re.split(r" (?:&|\|\||2>|\d>|\||&&)(?: |$)|[`)#]", after)[0]
                )
                yield name, [word for word in arguments if word not in ("&", "$@", "...")]


def strings(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value


def files_with(command: str) -> set[str]:
    return {name for name, _ in calls(command)}


def test_the_calls_are_found() -> None:
    everywhere = {"README.md", "slurm.sh", "kuberay.yaml"}
    assert files_with("search/tune.py") >= everywhere
    assert files_with("ray start") >= {"compose.yaml", "slurm.sh", "../docs/cluster.md"}
    assert files_with("mlflow server") >= {"compose.yaml", "../docs/cluster.md"}


@pytest.mark.parametrize(("name", "arguments"), list(calls("search/tune.py")))
def test_every_search_has_arguments_that_exist(name: str, arguments: list[str]) -> None:
    if not {"--pipeline", "--replay", "--list"} & set(arguments):
        arguments = ["--pipeline", "mnist_supervised", *arguments]
    known = [word for word in arguments if not word.startswith("$")]
    if known[-1] == "--address":
        known.append("auto")
    tune.parser().parse_args([*known, "--dry-run"])


@pytest.mark.parametrize(
    ("command", "name", "arguments"),
    [(command, *call) for command in SERVED for call in calls(command)],
)
def test_every_server_has_options_that_exist(command: str, name: str, arguments: list[str]) -> None:
    known: click.Command = SERVED[command]
    options = {option for each in known.params for option in each.opts + each.secondary_opts}
    given = {word.partition("=")[0] for word in arguments if word.startswith("--")}
    assert given <= options


def test_the_manifests_parse() -> None:
    services = yaml.safe_load(TEXTS["compose.yaml"])["services"]
    assert {"head", "worker", "mlflow", "postgres", "minio"} <= services.keys()
    claim, job = yaml.safe_load_all(TEXTS["kuberay.yaml"])
    assert (claim["kind"], job["kind"]) == ("PersistentVolumeClaim", "RayJob")


def test_nothing_is_published_beyond_this_machine() -> None:
    services = yaml.safe_load(TEXTS["compose.yaml"])["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_every_secret_is_in_the_example_and_has_no_value() -> None:
    wanted = set(re.findall(r"\$\{(\w+):\?", TEXTS["compose.yaml"]))
    example = dict(re.findall(r"^(\w+)=(.*)$", TEXTS[".env.example"], re.MULTILINE))
    assert wanted == {name for name, value in example.items() if not value}
    asked = set(re.findall(r"\$\{(\w+)", TEXTS["compose.yaml"]))
    assert asked == example.keys()
    ignored = subprocess.run(["git", "check-ignore", "-q", "deploy/.env"], cwd=ROOT)
    assert ignored.returncode in (0, 128), "128: not a git checkout"


def test_the_version_of_ray_is_the_pinned_one() -> None:
    _, job = yaml.safe_load_all(TEXTS["kuberay.yaml"])
    version = job["spec"]["rayClusterSpec"]["rayVersion"]
    assert f"ray=={version}\n" in (ROOT / "constraints.txt").read_text()


def test_the_script_is_a_script() -> None:
    subprocess.run(["bash", "-n", str(DEPLOY / "slurm.sh")], check=True)
