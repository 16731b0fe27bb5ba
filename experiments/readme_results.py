"""The README's section "What it found", made from stored results; a test holds the README to it.

python experiments/readme_results.py          # prints it
python experiments/readme_results.py write    # puts it into README.md
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
MARK, END = "<!-- results -->", "## Commands"
BOUND = 0.003


def section() -> str:
    """Markdown from `fronts/results`, `data_throughput/results.json`, `.../scale.json` and `simulator/summary.json`."""
    parts = [MARK]
    for name, title in (
        ("ads_simulator", "the embedded default: a **synthetic** log"),
        ("kuairand", "KuaiRand-Pure: a real log"),
    ):
        front = json.loads((HERE / "fronts" / "results" / name / "front.json").read_text())
        checked = json.loads((HERE / "fronts" / "results" / name / "checked.json").read_text())
        parts += ["", f"### {title[0].upper()}{title[1:]}", *_front(front, checked)]
    parts += ["", *_scenarios(), "", *_tables(), "", *_throughput()]
    parts += ["", *_simulator(json.loads((HERE / "simulator" / "summary.json").read_text())), "", ""]
    return "\n".join(parts)


def _front(front: dict[str, Any], checked: dict[str, Any]) -> list[str]:
    tasks = list(front["teacher"]["quality"])
    trials = front["trials"]
    lines = [
        f"`{checked['command']}`: {sum(trials.values())} trials ({trials['stopped']} stopped early) in "
        f"{front['wall_seconds'] / 60:.1f} minutes on {front['machine']['cores']} cores, teacher included. Test split; "
        "changes from the teacher with 95 % intervals; speed-up at batch 256, one thread.",
        "",
        f"| file | KB | smaller | faster | {' | '.join(f'{task} AUC' for task in tasks)} |",
        f"|---|---:|---:|---:|{'---|' * len(tasks)}",
    ]
    for file in [front["teacher"], *front["landmarks"], *_chosen(front["points"])]:
        own = f"trial {file['trial']}: {file['words']}" if "trial" in file else f"*{file['name']}*: {file['words']}"
        cells = [own, f"{file['model_bytes'] / 1e3:,.0f}", f"{file['compression_ratio']:.1f}x"]
        cells.append(f"{file['speedup']['256']:.1f}x")
        for task in tasks:
            auc = file["quality"][task]["auc"]
            low, high = auc["test_drop_ci95"]
            change = "" if file is front["teacher"] else f" ({-auc['test_drop']:+.4f}, {-high:+.4f} to {-low:+.4f})"
            cells.append(f"{auc['test']:.4f}{change}")
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    for warning in front["warnings"]:
        lines += [f"> {warning}", ""]
    smallest = _smallest(front)
    lines.append(
        f"The smallest file whose click AUC drop is at most {BOUND} at the 95 % bound is "
        f"{smallest['compression_ratio']:.0f} times smaller than the teacher. The front holds {len(front['points'])} "
        "points; every file's bytes, sha256 and AUC were checked again from outside "
        f"([checked.json](experiments/fronts/results/{front['data']['name']}/checked.json))."
    )
    return lines


def _scenarios() -> list[str]:
    named = "first task, test split: the smallest file that loses at most .003 of the metric at the 95 % bound"
    return [
        "### The other scenarios",
        f"`python -m autocompress search=...` on **synthetic** logs, {named} ([stored](experiments/fronts/README.md)).",
        "",
        *_scenario_table({name: name for name in ("ecommerce", "content", "ranking", "personalized", "retrieval")}),
        "",
        "The same on real logs, two to six minutes each:",
        "",
        *_scenario_table(
            {
                "ecommerce: Amazon Beauty": "real_ecommerce",
                "content: KuaiRand": "real_content",
                "ranking: KuaiRand's log by user": "real_ranking",
                "personalized: Amazon Beauty": "real_personalized",
                "retrieval: Gowalla": "real_retrieval",
            }
        ),
    ]


def _scenario_table(names: dict[str, str]) -> list[str]:
    lines = [
        "| search | metric | teacher | small from scratch | files on the front | smallest file |",
        "|---|---|---:|---:|---:|---|",
    ]
    for title, name in names.items():
        front = json.loads((HERE / "fronts" / "results" / name / "front.json").read_text())
        metric, task = front["metric"], next(iter(front["teacher"]["quality"]))
        small = next(each for each in front["landmarks"] if each["name"] == "small")
        within = [p for p in front["points"] if p["quality"][task][metric]["test_drop_ci95"][1] <= BOUND]
        best = "none"
        if within:
            smallest = min(within, key=lambda point: point["model_bytes"])
            change, low, high = (f"{-value:+.4f}" for value in _drop(smallest, task, metric))
            size = f"{smallest['model_bytes'] / 1e3:,.0f} KB, {smallest['compression_ratio']:.0f}x"
            best = f"{size}, {change} ({high} to {low})"
        cells = [
            title,
            metric,
            f"{front['teacher']['quality'][task][metric]['test']:.4f}",
            f"{-_drop(small, task, metric)[0]:+.4f}",
            str(len(front["points"])),
            best,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _tables() -> list[str]:
    lines = [
        "### Plain files: nothing said but a path and a label",
        "`python -m autocompress search=ads data=table data.path=... data.label=... study.minutes=3`: the smallest "
        "file of each front ([stored](experiments/fronts/README.md)).",
        "",
        "| log | rows | inputs dropped | teacher AUC | small from scratch | smallest file |",
        "|---|---:|---:|---:|---:|---|",
    ]
    names = {
        "table_kuairand": "KuaiRand's log",
        "table_census": "Census-Income",
        "table_criteo": "raw Criteo, 8,000 rows",
    }
    for name, title in names.items():
        front = json.loads((HERE / "fronts" / "results" / name / "front.json").read_text())
        (task,) = front["teacher"]["quality"]
        small = next(each for each in front["landmarks"] if each["name"] == "small")
        smallest = min(front["points"], key=lambda point: point["model_bytes"])
        ratio = f"{smallest['compression_ratio']:.0f}x"
        change, low, high = (f"{-value:+.4f}" for value in _drop(smallest, task))
        dropped = next((line.split()[1] for line in front["data"]["cleaning"] if " inputs (" in line), "0")
        cells = [
            title,
            f"{sum(front['data']['rows'].values()):,}",
            dropped,
            f"{front['teacher']['quality'][task]['auc']['test']:.4f}",
            f"{-_drop(small, task)[0]:+.4f}",
            f"{smallest['model_bytes'] / 1e3:,.0f} KB, {ratio}, {change} ({high} to {low})",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _drop(file: dict[str, Any], task: str, metric: str = "auc") -> tuple[float, float, float]:
    """Drop of a test metric from the teacher's, and its interval."""
    value = file["quality"][task][metric]
    return value["test_drop"], *value["test_drop_ci95"]


def _throughput() -> list[str]:
    folder = HERE / "data_throughput"
    speed = json.loads((folder / "results.json").read_text())["summary"]
    scale = json.loads((folder / "scale.json").read_text())
    rates = {form: speed[f"autocompress {form}"]["rows_per_second"] for form in ("parquet", "csv")}
    ratios = {form: speed[f"times faster from {form}"]["median"] for form in rates}
    return [
        f"Preparing a synthetic log of 39 fields takes {rates['parquet']:,.0f} rows/s from Parquet and "
        f"{rates['csv']:,.0f} from CSV on two cores, {ratios['parquet']:.0f} and {ratios['csv']:.0f} times as fast as "
        f"FuxiCTR 2.3; {scale['prepare']['rows'] / 1e6:.0f} million rows take {scale['prepare']['seconds']:.0f} "
        f"seconds and {scale['prepare']['peak_gb']:.1f} GB ([data_throughput](experiments/data_throughput/README.md))."
    ]


def _chosen(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most six points, spread evenly over the front."""
    if len(points) <= 6:
        return points
    return [points[round(index * (len(points) - 1) / 5)] for index in range(6)]


def _smallest(front: dict[str, Any]) -> dict[str, Any]:
    within = [p for p in front["points"] if p["quality"]["click"]["auc"]["test_drop_ci95"][1] <= BOUND]
    smallest: dict[str, Any] = min(within, key=lambda point: point["model_bytes"])
    return smallest


def _simulator(summary: dict[str, Any]) -> list[str]:
    lines = [
        "On the simulator capacity matters, as it should (five seeds, mean test AUC and 95 % interval, synthetic):"
    ]
    lines.append("")
    tasks = list(summary["bayes_test_auc"])
    lines += [f"| model | {' | '.join(tasks)} |", f"|---|{'---|' * len(tasks)}"]
    words = {"teacher_recovered": "teacher, trained on with a trial's recovery", "small": "small, from scratch"}
    for name, facts in summary["models"].items():
        cells = [
            f"{facts['test_auc'][t]['mean']:.4f} ({facts['test_auc'][t]['ci95'][0]:.4f} to "
            f"{facts['test_auc'][t]['ci95'][1]:.4f})"
            for t in tasks
        ]
        lines.append(f"| {words.get(name, name)} | {' | '.join(cells)} |")
    best = [f"{summary['bayes_test_auc'][task]:.4f}" for task in tasks]
    lines.append(f"| best possible | {' | '.join(best)} |")
    lines += [
        "",
        "Training the teacher on, as its students are, tells what of a student's change is the training's and not the "
        "compression's.",
    ]
    return lines


def main() -> None:
    """Prints the section, or writes it into the README."""
    if sys.argv[1:] != ["write"]:
        print(section())
        return
    text = README.read_text()
    before, rest = text.split(MARK, 1)
    README.write_text(before + section() + END + rest.split(END, 1)[1])


if __name__ == "__main__":
    main()
