import json
import re
from pathlib import Path
from typing import Any

from autocompress.report.contract import FrontFile
from autocompress.report.html_page import front_page
from autocompress.report.html_plot import plots, scatter
from autocompress.report.html_table import artefact_link, front_table


def _embedded(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="plots">(.*?)</script>', page, re.DOTALL)
    assert found
    content: dict[str, Any] = json.loads(found.group(1))
    return content


def test_the_page_links_to_nothing_outside(example: FrontFile) -> None:
    page = front_page(example)
    own = page.partition("<script>/**")[0]
    assert "default-src 'none'" in own
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", own)


def test_badges_and_warnings_are_on_the_page(example: FrontFile) -> None:
    page = front_page(example.model_copy(update={"test_reused": True}))
    assert "synthetic data</span>" in page
    assert "test split used more than once</span>" in page
    assert "These numbers are made up" in page


def test_text_from_outside_cannot_become_markup(example: FrontFile) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    point = example.points[0].model_copy(update={"words": evil, "plan": {"kind": evil}})
    page = front_page(
        example.model_copy(update={"study": evil, "warnings": (evil,), "points": (point,)}),
    )
    assert "<img" not in page.replace(_plotly_script(page), "")
    assert _embedded(page)["scatter"]["test"]["click"]["traces"][0]["trial"] == [3]


def test_an_artefact_link_has_no_scheme() -> None:
    assert artefact_link("javascript:alert(1)", "x") == '<a href="javascript%3Aalert%281%29/">x</a>'
    assert artefact_link("artefacts/0ab1", "x") == '<a href="artefacts/0ab1/">x</a>'


def test_error_bars_reach_the_bounds_of_the_interval(example: FrontFile) -> None:
    trace = scatter(example, "click", "test")["traces"][0]
    stored = example.points[0].quality["click"]["auc"].test_drop_ci95
    assert stored is not None
    assert abs(trace["y"][0] - trace["below"][0] + stored[1]) < 1e-12
    assert abs(trace["y"][0] + trace["above"][0] + stored[0]) < 1e-12


def test_a_running_study_shows_validation_without_error_bars(running: FrontFile) -> None:
    drawn = plots(running)
    assert drawn["splits"] == ["valid"]
    assert "above" not in drawn["scatter"]["valid"]["click"]["traces"][0]


def test_a_landmark_far_below_is_named_and_does_not_flatten_the_plot(example: FrontFile) -> None:
    content = example.model_dump()
    content["landmarks"][1]["quality"]["click"]["auc"].update(test=0.5, test_drop=0.2688, test_drop_ci95=None)
    view = scatter(FrontFile.model_validate(content), "click", "test")
    assert view["outside"] == ["small from scratch (-0.2688)"]
    assert view["y_range"][0] > -0.02


def test_a_front_without_points_still_has_a_page(running: FrontFile) -> None:
    page = front_page(running.model_copy(update={"points": (), "landmarks": (), "hypervolume_history": ()}))
    assert "There is no compressed file yet." in page


def test_every_file_has_a_row_and_every_point_its_plan(example: FrontFile) -> None:
    table = front_table(example)
    assert table.count('<tbody class="point">') == len(example.points)
    assert table.count("<h3>Plan</h3>") == len(example.points)
    assert all(file.sha256 in table for file in (example.teacher, *example.landmarks, *example.points))


def test_a_point_that_a_landmark_dominates_says_so(example: FrontFile) -> None:
    point = example.points[0].model_copy(update={"dominated_by": "<small>"})
    assert "dominated by &lt;small&gt;" in front_table(example.model_copy(update={"points": (point,)}))


def test_the_page_needs_only_files_that_are_packaged() -> None:
    folder = Path(__file__).parents[2] / "autocompress" / "report"
    assert {path.name for path in folder.iterdir() if path.suffix in {".css", ".js"}} == {"page.css", "page.js"}


def _plotly_script(page: str) -> str:
    start = page.index("<script>/**")
    return page[start : page.index("</script>", start)]
