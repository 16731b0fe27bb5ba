"""Writes the tables of READMEs from what is stored: `search_efficiency`, `_replay`, `_ablation`, `_overhead`.

python experiments/search_tables.py
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MARK = "<!-- tables -->"
SYNTHETIC = {"simulator": "simulator (**synthetic**)"}


def efficiency(stored: dict[str, Any]) -> list[str]:
    """Final hypervolumes by seed, and after which share of the minutes this search has the best baseline's mean."""
    lines, where = [], f", {stored['called']}" if "called" in stored else ""
    for log, found in stored["summary"].items():
        lines += [
            f"### {SYNTHETIC.get(log, log)}{where}",
            "",
            "| way | files | hypervolume by seed | mean |",
            "|---|---:|---|---:|",
        ]
        for way, values in found["final"].items():
            cells = [each for each in stored["cells"] if (each["log"], each["way"]) == (log, way)]
            files = statistics.fmean(each["shipped"] for each in cells)
            by_seed = ", ".join(format(value, ".4g") for value in values)
            lines.append(f"| {way} | {files:.0f} | {by_seed} | {statistics.fmean(values):.4g} |")
        lines.append("")
        for kind, reached in found["ours_reaches"].items():
            if not any(found["final"][reached["best"]]):
                lines.append(f"- From {kind} no file came within the reference point.")
                continue
            shares = [f"{100 * share:.0f} %" if share is not None else "never" for share in reached["share_of_seconds"]]
            lines.append(f"- Mean of the best from {kind} (`{reached['best']}`): reached after {', '.join(shares)}.")
        lines.append("")
    return lines


def ablation(stored: dict[str, Any]) -> list[str]:
    """Hypervolume after thirds of the minutes, by way."""
    lines = [f"On the {stored['called']}:", ""] if "called" in stored else []
    lines += ["| way | trials | files | after 60 s | after 120 s | after 180 s |", "|---|---:|---:|---|---|---|"]
    for way in dict.fromkeys(each["way"] for each in stored["cells"]):
        cells = [each for each in stored["cells"] if each["way"] == way]
        trials, files = (statistics.fmean(each[name] for each in cells) for name in ("trials", "files"))
        thirds = (", ".join(f"{each['volumes'][third]:.4f}" for each in cells) for third in range(3))
        lines.append(f"| {way} | {trials:.0f} | {files:.0f} | {' | '.join(thirds)} |")
    return [*lines, ""]


def replay(stored: dict[str, Any]) -> list[str]:
    """Hypervolume over time, with standard errors over seeds."""
    moments = next(iter(stored.values()))["seconds"]
    lines = [f"| way | {' | '.join(f'after {moment} s' for moment in moments)} |", f"|---|{'---|' * len(moments)}"]
    for way, found in stored.items():
        both = zip(found["mean"], found["standard_error"], strict=True)
        lines.append(f"| {way} | {' | '.join(f'{mean:.4f} ± {error:.4f}' for mean, error in both)} |")
    return [*lines, ""]


def overhead(stored: dict[str, Any]) -> list[str]:
    """Seconds of thirty trials, of asking and telling, and trials of several workers."""
    profile = stored["profile"]
    whole = profile["seconds"]
    lines = ["| thirty trials | seconds | share |", "|---|---:|---:|"]
    lines += [f"| {part} | {each:.1f} | {100 * each / whole:.1f} % |" for part, each in profile["parts"].items()]
    rest = whole * profile["overhead"]
    lines.append(f"| **all the rest** | **{rest:.1f}** | **{100 * profile['overhead']:.1f} %** |")
    lines += [
        f"| of it: {part} | {each:.1f} | {100 * each / whole:.1f} % |"
        for part, each in profile["of_the_overhead"].items()
    ]
    lines += ["", "| sampler, 1,000 trials stored | ask, ms | store, ms | tell, ms |", "|---|---:|---:|---:|"]
    for kind, times in stored.get("samplers", {}).items():
        lines.append(f"| {kind} | {' | '.join(f'{1e3 * times[each]:.0f}' for each in ('ask', 'store', 'tell'))} |")
    return [*lines, "", *looks(stored.get("looks", [])), *workers(stored.get("workers", []))]


def looks(rows: list[dict[str, Any]]) -> list[str]:
    """What looks at latency tell, by file and runs."""
    if not rows:
        return []
    files, runs = (list(dict.fromkeys(each[key] for each in rows)) for key in ("file", "runs"))
    lines = [
        f"| file, speed-up | {' | '.join(f'spread of {each} runs' for each in runs)} |",
        f"|---|{'---:|' * len(runs)}",
    ]
    for file in files:
        mine = [each for each in rows if each["file"] == file]
        spreads = " | ".join(f"{100 * each['spread']:.1f} %" for each in mine)
        lines.append(f"| {file}, {mine[-1]['speedup']:.2f} | {spreads} |")
    return [*lines, ""]


def workers(rows: list[dict[str, Any]]) -> list[str]:
    """Trials by several workers beside those of one."""
    if not rows:
        return []
    names = list(dict.fromkeys(each["workers"] for each in rows))
    trials = {name: [each["trials"] for each in rows if each["workers"] == name] for name in names}
    lines = ["| workers | trials by seed | times those of one |", "|---|---|---|"]
    for name, several in trials.items():
        ratios = [now / alone for now, alone in zip(several, trials[names[0]], strict=True)]
        by_seed = (", ".join(str(each) for each in several), ", ".join(f"{each:.2f}" for each in ratios))
        lines.append(f"| {name} | {' | '.join(by_seed)} |")
    return [*lines, ""]


TABLES: dict[str, Callable[[dict[str, Any]], Sequence[str]]] = {
    "search_efficiency": efficiency,
    "search_replay": replay,
    "search_ablation": ablation,
    "search_overhead": overhead,
}


def main() -> None:
    """Everything between the two marks of a README is written anew, where results are stored."""
    for folder, tables in TABLES.items():
        readme = HERE / folder / "README.md"
        found = [json.loads(stored.read_text()) for stored in sorted((HERE / folder).glob("results*.json"))]
        if found:
            before, _, after = readme.read_text().split(MARK)
            lines = ["", *(line for each in found for line in tables(each))]
            readme.write_text(before + MARK + "\n".join(lines) + "\n" + MARK + after)


if __name__ == "__main__":
    main()
