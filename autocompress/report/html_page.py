"""front.html: one file that shows the front anywhere, offline, with nothing to install."""

from __future__ import annotations

import json
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from autocompress.report import wording
from autocompress.report.contract import FrontFile
from autocompress.report.html_mattered import mattered_section
from autocompress.report.html_plot import plots
from autocompress.report.html_table import front_table
from autocompress.report.summary import best_possible, summary

# The page runs its own script and fetches nothing, wherever it is opened.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
_STATES = {"running": "still running", "interrupted": "interrupted", "ended": "ended"}


def front_page(front: FrontFile) -> str:
    """The whole page as HTML; about 5 MB, nearly all of it Plotly's script."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(front.study)}: the front</title>
<style>{_resource("page.css")}</style>
</head>
<body>
<main>
<header>
<h1>{escape(front.study)}</h1>
<p class="badges">{_badges(front)}</p>
</header>
{_warnings(front)}
<p class="summary">{escape(summary(front))}</p>
<section aria-label="size against quality">
<div class="choices" id="choices"></div>
<div id="scatter" class="plot" role="img" aria-label="size against quality; the table holds the same numbers"></div>
<p class="note" id="outside"></p>
</section>
<section>
<h2>Every file</h2>
<p class="note">Click a header to sort. Changes are against the teacher, with 95 % intervals where the test split was
used. A KB is 1,000 bytes.</p>
<div class="scroll">{front_table(front)}</div>
</section>
<section class="columns" id="about">
<div id="volume"><h2>Hypervolume over time</h2>
<div id="hypervolume" class="plot low" role="img" aria-label="hypervolume over seconds"></div></div>
<div id="beliefs"><h2>What the bandit believed</h2>
<div id="bandit" class="plot low" role="img" aria-label="value of each arm over trials; dots where it was chosen"></div>
<p class="note">Lines: what an arm was held to be worth (1: what a pull usually adds that adds anything).
Dots: where it was chosen.</p>
</div>
<div><h2>Data and machine</h2><dl>{_facts(front)}</dl></div>
</section>
{mattered_section(front)}
{_cleaning(front)}
</main>
<script type="application/json" id="plots">{_embedded(plots(front))}</script>
<script>{_plotly()}</script>
<script>{_resource("page.js")}</script>
</body>
</html>
"""


def _badges(front: FrontFile) -> str:
    badges: list[tuple[str, str]] = [(front.state, _STATES[front.state])]
    if front.data.synthetic:
        badges.append(("synthetic", "synthetic data"))
    if front.test_reused:
        badges.append(("reused", "test split used more than once"))
    return " ".join(f'<span class="badge {kind}">{text}</span>' for kind, text in badges)


def _warnings(front: FrontFile) -> str:
    if not front.warnings:
        return ""
    lines = "".join(f"<li>{escape(warning)}</li>" for warning in front.warnings)
    return f'<ul class="warnings" role="alert">{lines}</ul>'


def _facts(front: FrontFile) -> str:
    trials, machine = front.trials, front.machine
    rows = ", ".join(f"{split} {count:,}" for split, count in front.data.rows.items())
    cores = "1 core" if machine.cores == 1 else f"{machine.cores} cores"
    facts = [
        ("data", f"{front.data.name}{' (synthetic)' if front.data.synthetic else ''}, digest {front.data.digest}"),
        ("rows", rows),
        *((f"best possible AUC, {task}", text) for task, text in best_possible(front)),
        ("trials", f"{trials.complete} complete, {trials.stopped} stopped early, {trials.failed} failed"),
        ("seed", str(front.seed)),
        ("time", wording.duration(front.wall_seconds)),
        ("hypervolume", f"{front.hypervolume:.5g}"),
        ("constraints", ", ".join(f"{name} {value:g}" for name, value in front.constraints.items()) or "none"),
        ("machine", f"{machine.cpu}, {cores}, {machine.memory_gib:.1f} GiB, {machine.os}"),
        (
            "software",
            f"Python {machine.python}, ONNX Runtime {machine.onnxruntime}, torch {machine.torch or 'not installed'}",
        ),
    ]
    return "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in facts)


def _cleaning(front: FrontFile) -> str:
    lines = "\n".join(front.data.cleaning)
    return f"<section>\n<h2>Cleaning</h2>\n<pre>{escape(lines)}</pre>\n</section>" if lines else ""


def _embedded(data: dict[str, Any]) -> str:
    """JSON that no text inside can end the script element with."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _resource(name: str) -> str:
    return files("autocompress.report").joinpath(name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    # Late: the import costs more than reading a front does.
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())
