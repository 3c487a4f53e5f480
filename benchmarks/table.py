"""The tables of docs/speed.md and the README's chart, made from what the programs measured.

    python benchmarks/table.py            writes them
    python benchmarks/table.py --check    ends with 1 if they are not what the figures say

Every program writes its figures with `--json benchmarks/results/<program>.json`. A table stands
between `<!-- speed: NAME -->` and `<!-- speed end -->`; nobody edits it by hand.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.machine import RESULTS
from benchmarks.record_curves import PIPELINES

PAGE, CHART = "docs/speed.md", "docs/images/speed.svg"
MARKED = re.compile(r"(<!-- speed: (\w+) -->\n).*?(<!-- speed end -->)", re.DOTALL)
TWO_VIEWS = "contrastive"
TIMES = "\N{MULTIPLICATION SIGN}"


def main(argv: Sequence[str] | None = None) -> int:
    """Fill the page and draw the chart, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, compare")
    options = parser.parse_args(argv)
    stale = []
    for name, make in ((PAGE, fill), (CHART, lambda _: chart())):
        text = (ROOT / name).read_text(encoding="utf-8")
        if make(text) != text:
            stale.append(name)
            if not options.check:
                (ROOT / name).write_text(make(text), encoding="utf-8")
    if options.check and stale:
        print(f"not what benchmarks/results/ says: {', '.join(stale)}; run benchmarks/table.py")
        return 1
    return 0


def fill(text: str) -> str:
    """The page with each of its tables made again."""
    return MARKED.sub(lambda match: f"{match[1]}{TABLES[match[2]]()}{match[3]}", text)


def figures(program: str) -> dict[str, Any]:
    """The figures that `program` measured."""
    values = json.loads((RESULTS / f"{program}.json").read_bytes())["figures"]
    assert isinstance(values, dict)
    return values


def goals() -> str:
    """The goals, beside the measured figures."""
    rows = [*_training_goals(), _block_goal(), *_orchestration_goals()]
    rows += [*_search_goals(), *_scale_goals()]
    return _table(("goal", "asked", "measured", ""), rows)


def _training_goals() -> list[tuple[str, ...]]:
    each = figures("training")["pipelines"]
    rows = []
    for part, asked, name in (
        ("epoch", (0.9, 0.8), "an epoch's rate against the bare step's"),
        ("all", (0.75, 0.75), "a whole trial's, measurements included"),
    ):
        ratio = {p: rates[part] / rates["bare"] for p, rates in each.items()}
        one = [r for p, r in ratio.items() if TWO_VIEWS not in p]
        two = [r for p, r in ratio.items() if TWO_VIEWS in p]
        for label, group, least in (("", one, asked[0]), (", two views", two, asked[1])):
            rows.append(_row(f"1: {name}{label}", least, min(group), max(group), 2))
    against = {p: rates["epoch"] / rates["plain"] for p, rates in each.items()}
    auto = [r for p, r in against.items() if "autoencoder" in p]
    other = [r for p, r in against.items() if "autoencoder" not in p]
    rows.append(_row("2: against the tutorials' way, autoencoders", 1.5, min(auto), max(auto), 1))
    rows.append(_row("2: the other four", 3.5, min(other), max(other), 1))
    for part, name in (("probe", "linear"), ("fit", "the protocol's")):
        ratio = {p: f["plain_fit"] / f[part] for p, f in each.items() if part in f}
        low, high = min(ratio.values()), max(ratio.values())
        rows.append(_row(f"2: classifier on latents ({name})", 10, low, high, 1))
    return rows


def _block_goal() -> tuple[str, ...]:
    each = figures("blocks")["pipelines"].values()
    ratios = [by_block["patches"]["rate"] / by_block["strided"]["rate"] for by_block in each]
    return _row("3: `patches` against `strided`, images/s", 2, min(ratios), max(ratios), 1)


def _orchestration_goals() -> list[tuple[str, ...]]:
    numbers = figures("orchestration")
    first = numbers["first_step"] / numbers["floor_ready"]
    whole = numbers["smallest"] / numbers["floor"]
    return [
        _limit("4: a trial beyond its training", "50 ms", 1e3 * numbers["per_trial"], 50, "ms"),
        _limit("4: `--help`", "0.3 s", numbers["help"], 0.3, "s"),
        _limit("4: start to first step, against the floor", f"1.3 {TIMES}", first, 1.3, TIMES),
        _limit("4: the smallest search, against the floor", f"1.25 {TIMES}", whole, 1.25, TIMES),
        _limit("4: MLflow's writer, ten reports a second", "2 %", 100 * numbers["writer"], 2, "%"),
    ]


def _search_goals() -> list[tuple[str, ...]]:
    replayed = figures("replay_searches")["times_faster"]
    rows = []
    ours = {p: ratio for p, (ratio, _) in replayed["ours"].items()}
    low, high = min(ours.values()), max(ours.values())
    rows.append(_row("5: against 50 random full trials (replayed)", 5, low, high, 1))
    pair = {p: _quotient(ours[p], ratio) for p, (ratio, _) in replayed["plain pair"].items()}
    low, high = min(pair.values()), max(pair.values())
    rows.append(_row("5: against OptunaSearch + ASHA (replayed)", 2, low, high, 1))
    runs = figures("plain_search")
    ratios = [plain[0] / own[0] for plain, own in zip(runs["plain"], runs["ours"], strict=True)]
    middle = _median(runs["plain"], 0) / _median(runs["ours"], 0)
    measured = f"{middle:.1f} {TIMES} ({min(ratios):.1f} to {max(ratios):.1f})"
    rows.append(("6: a whole search, same recipe", f"5 {TIMES}", measured, _verdict(middle >= 5)))
    share = 100 * statistics.median(runs["reached"]) / _median(runs["plain"], 0)
    name = "6: our defaults as good as the plain way's best, of its time"
    rows.append(_limit(name, "10 %", share, 10, "%"))
    return rows


def _scale_goals() -> list[tuple[str, ...]]:
    numbers = figures("scale")
    hour = numbers["trials_an_hour"]
    two = hour["two"] / hour["one"]
    return [
        (
            "7: two processes against two threads, CPU",
            "the better",
            f"{hour['two'] / hour['threads']:.2f} {TIMES}",
            "processes" if hour["two"] > hour["threads"] else "threads",
        ),
        ("8: one worker to two", f"1.8 {TIMES}", f"{two:.2f} {TIMES}", _verdict(two >= 1.8)),
        (
            f"8: {numbers['workers']} workers busy",
            "90 %",
            f"{100 * numbers['busy']:.1f} %",
            _verdict(numbers["busy"] >= 0.9),
        ),
    ]


def headline() -> str:
    """The gains of a user, in four lines."""
    search, scale = figures("plain_search"), figures("scale")["trials_an_hour"]
    plain, ours = _median(search["plain"], 0), _median(search["ours"], 0)
    each = [p["epoch"] / p["plain"] for p in figures("training")["pipelines"].values()]
    loop = figures("peers")["lightly"]
    ratio = loop["ours"] / loop["lightly"]
    rows = [
        (
            "a whole search, 16 trials of up to 4 epochs",
            "Ray's `OptunaSearch`, a DataLoader, float32",
            f"{plain:.0f} s",
            f"{ours:.0f} s",
            f"{plain / ours:.1f} {TIMES}",
        ),
        (
            "training, the six pipelines",
            "the tutorials' loop",
            "",
            "",
            f"{min(each):.1f} to {max(each):.1f} {TIMES}",
        ),
        (
            "contrastive training, images/s",
            "lightly's transforms and loss",
            f"{loop['lightly']:,.0f}",
            f"{loop['ours']:,.0f}",
            f"{ratio:.1f} {TIMES}",
        ),
        (
            "a second worker, trials an hour",
            "one worker",
            f"{scale['one']:,.0f}",
            f"{scale['two']:,.0f}",
            f"{scale['two'] / scale['one']:.2f} {TIMES}",
        ),
    ]
    return _table(("", "beside", "theirs", "ours", "ratio"), rows)


def chart() -> str:
    """How many times as fast as the usual ways, as an SVG picture."""
    search, peer = figures("plain_search"), figures("peers")
    rows = [("a whole search", _median(search["plain"], 0) / _median(search["ours"], 0))]
    for name, rates in figures("training")["pipelines"].items():
        rows.append((f"training {name}", rates["epoch"] / rates["plain"]))
    rows.append(("the same, beside lightly", peer["lightly"]["ours"] / peer["lightly"]["lightly"]))
    rows.append(("a search beside Optuna alone", peer["optuna"]["optuna"] / peer["optuna"]["ours"]))
    left, unit, step = 230, 85, 26
    width, height = left + 6.4 * unit, step * (len(rows) + 2)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        'font-family="sans-serif" font-size="14">',
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="12" y="20">times as fast as the usual way; the line is the usual way</text>',
    ]
    for place, (name, ratio) in enumerate(rows, start=1):
        y = step * place + 8
        colour = "#2a78b5" if ratio >= 1 else "#c2553b"
        beside = left + unit * max(1, ratio) + 8
        lines += [
            f'<text x="{left - 10}" y="{y + 15}" text-anchor="end">{name}</text>',
            f'<rect x="{left}" y="{y}" width="{unit * ratio:.0f}" height="20" fill="{colour}"/>',
            f'<text x="{beside:.0f}" y="{y + 15}">{ratio:.2g} {TIMES}</text>',
        ]
    x = left + unit
    lines.append(f'<path d="M{x} {step + 2}V{height - 14}" stroke="black" stroke-dasharray="4"/>')
    return "\n".join([*lines, "</svg>\n"])


def training() -> str:
    """Rates by pipeline."""
    numbers = figures("training")
    rows = []
    for name, one in numbers["pipelines"].items():
        rows.append(
            (
                f"`{name}`",
                f"{one['bare']:,.0f}",
                _spread(one["epoch"] / one["bare"], one["epoch_ratios"], 2),
                _spread(one["all"] / one["bare"], one["all_ratios"], 2),
                _spread(one["epoch"] / one["plain"], one["plain_ratios"], 1) + f" {TIMES}",
                f"{one['mflop']:.1f}",
                f"{one['share']:.2f}",
            )
        )
    heads = ("pipeline", "bare step, images/s", "epoch", "whole trial", "against the tutorials")
    return _table((*heads, "MFLOP an image", "share of the matrix rate"), rows)


def replays() -> str:
    """Ways to search, times faster than the random search."""
    numbers = figures("replay_searches")
    rows = [
        (way, *(f"{columns[p][0]:.1f} ({columns[p][1]})" for p in PIPELINES))
        for way, columns in numbers["times_faster"].items()
    ]
    trusted = numbers["surrogates"]
    rows.append(("*curves*", *(f"{trusted[p]['curves']}" for p in PIPELINES)))
    rows.append(("*rank correlation*", *(f"{trusted[p]['rank']:.2f}" for p in PIPELINES)))
    return _table(("way", *(f"`{p}`" for p in PIPELINES)), rows)


def peers() -> str:
    """lightly and Optuna alone."""
    numbers = figures("peers")
    one, two = numbers["lightly"], numbers["optuna"]
    rows = [
        (
            "lightly's transforms and loss, images/s",
            f"{one['lightly']:,.0f}",
            f"{one['ours']:,.0f}",
            f"{one['ours'] / one['lightly']:.1f} {TIMES}",
        ),
        (
            "Optuna's `study.optimize`, seconds",
            f"{two['optuna']:.0f}",
            f"{two['ours']:.0f}",
            f"{two['optuna'] / two['ours']:.2f} {TIMES}",
        ),
        (
            "best accuracy of the two searches",
            f"{two['optuna_accuracy']:.3f}",
            f"{two['ours_accuracy']:.3f}",
            "",
        ),
    ]
    return _table(("peer", "peer", "ours", "ratio"), rows)


def blocks() -> str:
    """Accuracy and rate by the encoder's block."""
    each = figures("blocks")["pipelines"]
    rows = []
    for pipeline, by_block in each.items():
        cells = [
            f"{100 * one['accuracy']:.1f} \N{PLUS-MINUS SIGN} {100 * one['half']:.1f}, "
            f"{one['rate']:,.0f}"
            for one in by_block.values()
        ]
        rows.append((f"`{pipeline}`", *cells))
    return _table(("pipeline", *(f"`{name}`" for name in next(iter(each.values())))), rows)


def gpu() -> str:
    """Epochs as they are and recorded, and steps of several trainings at a time."""
    if not (RESULTS / "gpu_first_run.json").exists():
        return "Not yet run on a GPU.\n"
    lines = figures("gpu_first_run")["lines"]
    spent = {line["what"]: line.get("epoch_seconds") for line in lines if line["stage"] == "speed"}
    rows = [
        (f"`{name}`, seconds an epoch", f"{spent[what]:.2f}", f"{spent[f'{what}, recorded']:.2f}")
        for name in PIPELINES
        if (what := f"{name} bfloat16") in spent
    ]
    for line in lines:
        if line["stage"] == "packing":
            how, _, recorded = line["what"].partition(", ")
            shown = f"{line['steps_a_second']:,.0f}"
            cells = ("", shown) if recorded else (shown, "")
            rows.append((f"{how}, steps a second", *cells))
    failed = [f"{line['stage']}: {line['what']}" for line in lines if "FAILED" in line]
    said = f"Does not hold: {'; '.join(failed)}.\n" if failed else "All that was looked at holds.\n"
    return f"{_table(('', 'as it is', 'recorded'), rows)}\n{said}"


def measured() -> str:
    """Which command gave the figures, on what."""
    rows = []
    for file in sorted(RESULTS.glob("*.json")):
        kept = json.loads(file.read_bytes())
        rows.append((f"`python benchmarks/{kept['command']}`", kept["machine"]))
    return _table(("command", "measured on"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "headline": headline,
    "goals": goals,
    "training": training,
    "blocks": blocks,
    "replays": replays,
    "peers": peers,
    "gpu": gpu,
    "measured": measured,
}


def _row(name: str, least: float, low: float, high: float, digits: int) -> tuple[str, ...]:
    """A goal that a range must lie above."""
    most = f"{high:.{digits}f}" if math.isfinite(high) else "\N{INFINITY}"  # the other never came
    span = f"{low:.{digits}f} to {most}"
    verdict = "met" if low >= least else "in part" if high >= least else "not met"
    return name, f"{least:g}", span, verdict


def _limit(name: str, asked: str, value: float, most: float, unit: str) -> tuple[str, ...]:
    """A goal that a value must stay under."""
    return name, asked, f"{value:.3g} {unit}", _verdict(value <= most)


def _verdict(met: bool) -> str:
    return "met" if met else "not met"


def _quotient(value: float, other: float) -> float:
    return value / other if other else float("inf")


def _median(runs: Sequence[Sequence[float]], part: int) -> float:
    return statistics.median(run[part] for run in runs)


def _spread(middle: float, each: Sequence[float], digits: int) -> str:
    """The median, and in brackets from the least to the most."""
    if len(each) < 2:
        return f"{middle:.{digits}f}"
    return f"{middle:.{digits}f} ({min(each):.{digits}f} to {max(each):.{digits}f})"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
