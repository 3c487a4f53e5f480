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
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.against_random import PLAIN, TOLD, in_words
from benchmarks.machine import RESULTS, ROOT
from benchmarks.record_curves import PIPELINES

PAGE, CHART = "docs/speed.md", "docs/images/speed.svg"
MARKED = re.compile(r"(<!-- speed: (\w+) -->\n).*?(<!-- speed end -->)", re.DOTALL)
TWO_VIEWS = "contrastive"
SIDES = ("plain", "ours")
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
    rows = []
    for part, asked, name in (
        ("epoch", (0.9, 0.8), "an epoch's rate against the bare step's"),
        ("all", (0.75, 0.75), "a whole trial's, measurements included"),
    ):
        two, one = _apart(_training(part, "bare"), TWO_VIEWS)
        rows.append(_row(f"1: {name}", asked[0], one, 2))
        rows.append(_row(f"1: {name}, two views", asked[1], two, 2))
    auto, other = _apart(_training("epoch", "plain"), "autoencoder")
    rows.append(_row("2: against the tutorials' way, autoencoders", 1.5, auto, 1))
    rows.append(_row("2: the other four", 3.5, other, 1))
    for part, name in (("probe", "linear"), ("fit", "the protocol's")):
        ratios = _training("plain_fit", part).values()
        rows.append(_row(f"2: classifier on latents ({name})", 10, ratios, 1))
    return rows


def _training(part: str, against: str) -> dict[str, float]:
    """Pipeline -> ratio of two figures, where both were measured."""
    each = figures("training")["pipelines"]
    return {p: one[part] / one[against] for p, one in each.items() if {part, against} <= one.keys()}


def _apart(ratios: Mapping[str, float], name: str) -> tuple[list[float], list[float]]:
    """Those of the pipelines that bear the name, and the others."""
    bear = [ratio for pipeline, ratio in ratios.items() if name in pipeline]
    return bear, [ratio for pipeline, ratio in ratios.items() if name not in pipeline]


def _block_goal() -> tuple[str, ...]:
    each = figures("blocks")["pipelines"].values()
    ratios = [by_block["patches"]["rate"] / by_block["strided"]["rate"] for by_block in each]
    return _row("3: `patches` against `strided`, images/s", 2, ratios, 1)


def _orchestration_goals() -> list[tuple[str, ...]]:
    numbers = figures("orchestration")
    first = numbers["first_step"] / numbers["floor_ready"]
    whole = numbers["smallest"] / numbers["floor"]
    return [
        _limit("4: a trial beyond its training", 1e3 * numbers["per_trial"], 50, "ms"),
        _limit("4: the same by TPE alone", 1e3 * numbers["per_trial_tpe"], 50, "ms"),
        _limit("4: `--help`", numbers["help"], 0.3, "s"),
        _limit("4: start to first step, against the floor", first, 1.3, TIMES),
        _limit("4: the smallest search, against the floor", whole, 1.25, TIMES),
        _limit("4: MLflow's writer, ten reports a second", 100 * numbers["writer"], 2, "%"),
    ]


def _search_goals() -> list[tuple[str, ...]]:
    replayed = figures("replay_searches")["times_faster"]
    ours, pair = ({p: r for p, (r, _) in replayed[way].items()} for way in ("ours", "plain pair"))
    against = [ours[p] / ratio if ratio else math.inf for p, ratio in pair.items()]
    runs = figures("plain_search")
    ratios = [plain[0] / own[0] for plain, own in zip(runs["plain"], runs["ours"], strict=True)]
    middle = _median(runs["plain"]) / _median(runs["ours"])
    measured = f"{middle:.1f} {TIMES} ({min(ratios):.1f} to {max(ratios):.1f})"
    share = 100 * statistics.median(runs["reached"]) / _median(runs["plain"])
    return [
        _row("5: against 50 random full trials (replayed)", 5, ours.values(), 1),
        _row("5: against OptunaSearch + ASHA (replayed)", 2, against, 1),
        ("6: a whole search, same recipe", f"5 {TIMES}", measured, _verdict(middle >= 5)),
        _limit("6: our defaults as good as the plain way's best, of its time", share, 10, "%"),
    ]


def _scale_goals() -> list[tuple[str, ...]]:
    numbers = figures("scale")
    hour, busy = numbers["trials_an_hour"], numbers["busy"]
    two, better = hour["two"] / hour["one"], hour["two"] / hour["threads"]
    winner = "processes" if better > 1 else "threads"
    name = "7: two processes against two threads, CPU"
    return [
        (name, "the better", f"{better:.2f} {TIMES}", winner),
        ("8: one worker to two", f"1.8 {TIMES}", f"{two:.2f} {TIMES}", _verdict(two >= 1.8)),
        (
            f"8: {numbers['workers']} workers busy",
            "90 %",
            f"{100 * busy:.1f} %",
            _verdict(busy >= 0.9),
        ),
    ]


def headline() -> str:
    """The gains of a user, in four lines."""
    search, scale = figures("plain_search"), figures("scale")["trials_an_hour"]
    plain, ours = _median(search["plain"]), _median(search["ours"])
    each = _training("epoch", "plain").values()
    loop = figures("peers")["lightly"]
    spread = f"{min(each):.1f} to {max(each):.1f} {TIMES}"
    rows = [
        (
            "a whole search, 16 trials of up to 4 epochs",
            "Ray's `OptunaSearch`, a DataLoader, float32",
            *_faster(plain, ours, plain / ours, " s"),
        ),
        ("training, the six pipelines", "the tutorials' loop", "", "", spread),
        (
            "contrastive training, images/s",
            "lightly's transforms and loss",
            *_faster(loop["lightly"], loop["ours"], loop["ours"] / loop["lightly"]),
        ),
        (
            "a second worker, trials an hour",
            "one worker",
            *_faster(scale["one"], scale["two"], scale["two"] / scale["one"], digits=2),
        ),
    ]
    return _table(("", "beside", "theirs", "ours", "ratio"), rows)


def chart() -> str:
    """How many times as fast as the usual ways, as an SVG picture."""
    search, peer = figures("plain_search"), figures("peers")
    rows = [("a whole search", _median(search["plain"]) / _median(search["ours"]))]
    rows += [(f"training {name}", ratio) for name, ratio in _training("epoch", "plain").items()]
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
    rows = [
        (
            f"`{name}`",
            f"{one['bare']:,.0f}",
            _spread(one["epoch"] / one["bare"], one["epoch_ratios"], 2),
            _spread(one["all"] / one["bare"], one["all_ratios"], 2),
            _spread(one["epoch"] / one["plain"], one["plain_ratios"], 1) + f" {TIMES}",
            f"{one['mflop']:.1f}",
            f"{one['share']:.2f}",
        )
        for name, one in figures("training")["pipelines"].items()
    ]
    heads = ("pipeline", "bare step, images/s", "epoch", "whole trial", "against the tutorials")
    return _table((*heads, "MFLOP an image", "share of the matrix rate"), rows)


def replays() -> str:
    """Ways to search, over all pipelines."""
    rows = []
    for way, one in figures("replay_searches")["over_all"].items():
        beside = in_words(one["over_plain"]) if "over_plain" in one else "1"
        short = " ".join(f"{one['regret'][str(at)][0]:.0%}" for at in TOLD)
        rows.append((way, in_words(one["mean"]), beside, f"{one['reached']:.0%}", short))
    heads = ("way", f"{TIMES} random search", f"{TIMES} the plain pair", "reached")
    return _table((*heads, "short by, after ¼, half, all"), rows)


def yardstick() -> str:
    """How far each pipeline's recorded curves can be trusted, and the ways on them."""
    numbers = figures("replay_searches")
    ways = [way for way in (PLAIN, "no trial 0", "ours") if way in numbers["intervals"]]
    rows = [
        (
            f"`{pipeline}`",
            str(trusted["curves"]),
            in_words([trusted[name] for name in ("rank", "low", "high")]),
            f"{trusted['ceiling']:.2f}" if "ceiling" in trusted else "-",
            *(in_words(numbers["intervals"][way][pipeline]) for way in ways),
        )
        for pipeline, trusted in numbers["surrogates"].items()
    ]
    return _table(("pipeline", "curves", "rank correlation", "two seeds'", *ways), rows)


def real() -> str:
    """Real searches in equal wall time, a number a seed."""
    if not (RESULTS / "real_searches.json").exists():
        return "Not yet measured.\n"
    rows = []
    for name, one in figures("real_searches")["pipelines"].items():
        best = (", ".join(f"{100 * value:.2f}" for value in one[side]) for side in SIDES)
        ended = (", ".join(f"{count:.0f}" for count in one[f"{side}_ended"]) for side in SIDES)
        minutes = [f"{at / 60:.1f}" if at == at else "-" for at in one["as_good_after"]]
        rows.append((f"`{name}`", *best, *ended, ", ".join(minutes)))
    heads = ("pipeline", "plain pair, %", "ours, %", "its ended trials", "our ended trials")
    return _table((*heads, "ours as good after, min"), rows)


def peers() -> str:
    """lightly and Optuna alone."""
    numbers = figures("peers")
    loop, search = numbers["lightly"], numbers["optuna"]
    rates = loop["lightly"], loop["ours"], loop["ours"] / loop["lightly"]
    times = search["optuna"], search["ours"], search["optuna"] / search["ours"]
    best = [f"{search[f'{side}_accuracy']:.3f}" for side in ("optuna", "ours")]
    rows = [
        ("lightly's transforms and loss, images/s", *_faster(*rates)),
        ("Optuna's `study.optimize`, seconds", *_faster(*times, digits=2)),
        ("best accuracy of the two searches", *best, ""),
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
    "yardstick": yardstick,
    "real": real,
    "peers": peers,
    "gpu": gpu,
    "measured": measured,
}


def _row(name: str, least: float, values: Collection[float], digits: int) -> tuple[str, ...]:
    """A goal that all values must lie above."""
    low, high = min(values), max(values)
    most = f"{high:.{digits}f}" if math.isfinite(high) else "\N{INFINITY}"  # the other never came
    span = f"{low:.{digits}f} to {most}"
    verdict = "met" if low >= least else "in part" if high >= least else "not met"
    return name, f"{least:g}", span, verdict


def _limit(name: str, value: float, most: float, unit: str) -> tuple[str, ...]:
    """A goal that a value must stay under."""
    return name, f"{most} {unit}", f"{value:.3g} {unit}", _verdict(value <= most)


def _faster(
    theirs: float, ours: float, ratio: float, unit: str = "", digits: int = 1
) -> tuple[str, ...]:
    """The figures of both, and how many times as fast ours is."""
    return f"{theirs:,.0f}{unit}", f"{ours:,.0f}{unit}", f"{ratio:.{digits}f} {TIMES}"


def _verdict(met: bool) -> str:
    return "met" if met else "not met"


def _median(runs: Sequence[Sequence[float]]) -> float:
    """Of the seconds, which stand first."""
    return statistics.median(run[0] for run in runs)


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
