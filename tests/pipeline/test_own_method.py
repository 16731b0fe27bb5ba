"""A compression method of one's own: a file and a YAML, found, searched and exported with no other edit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline import small

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(200)]

METHOD = '''
"""Toy: every layer of a tower but the last keeps its weights in fp16, and its largest ones alone."""

from typing import ClassVar, Literal

import torch
from pydantic import Field

from autocompress.compress.transform import Context, Record
from autocompress.models.recommender import Recommender
from autocompress.models.weight_only_linear import WeightOnlyLinear
from autocompress.schema import Frozen


class Toy(Frozen):
    kind: Literal["toy"] = "toy"
    follows: ClassVar[frozenset[str]] = frozenset({"rows"})
    share: float = Field(gt=0.0, le=1.0)

    def apply(self, model: Recommender, context: Context) -> Record:
        layers = [n for n, m in model.dense.tower.named_children() if isinstance(m, torch.nn.Linear)]
        for name in layers:
            weight = model.dense.tower[int(name)].weight
            with torch.no_grad():
                weight[weight.abs() < weight.abs().flatten().quantile(1 - self.share)] = 0.0
        record = {"layers": layers}
        self.restore(model, record)
        return record

    def restore(self, model: Recommender, record: Record) -> None:
        for name in record["layers"]:
            model.dense.tower[int(name)] = WeightOnlyLinear(model.dense.tower[int(name)], 16)

    def keeps(self) -> str | None:
        return f"{100 * self.share:.0f} % of a tower, by a toy"

    def storage_bits(self) -> int | None:
        return 16
'''


def test_a_method_of_ones_own_is_found_searched_and_exported(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "toy.py").write_text(METHOD)
    (tmp_path / "search_spaces").mkdir()
    (tmp_path / "search_spaces" / "toy.yaml").write_text("share: 0.5..1.0\n")
    shaped = [word for word in small.OVERRIDES if not word.startswith("search_spaces")]
    own = [*shaped, "methods=methods", "search_spaces=[toy,recovery]", "study.n_trials=3", "tracking.enabled=false"]
    done = small.run(tmp_path, cache, *own)
    assert done.returncode == 0, done.stderr
    assert "by a toy" in done.stdout
    front = small.front(tmp_path)
    assert (front.state, front.trials.failed) == ("ended", 0)
    assert {point.plan["stages"][0]["transforms"][0]["kind"] for point in front.points} == {"toy"}
    assert all(point.model_bytes < front.teacher.model_bytes for point in front.points)
    again = small.run(tmp_path, cache, *own)
    assert again.returncode == 0, again.stderr
    (tmp_path / "methods" / "toy.py").write_text(METHOD + "\n# changed\n")
    changed = small.run(tmp_path, cache, *own)
    assert changed.returncode == 0, changed.stderr
    assert len(list((tmp_path / "outputs").iterdir())) == 2, "a changed method is another study"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "methods=nowhere: there is no such folder"),
        ({"rows.py": ""}, "methods=methods: rows.py has the name of a file of autocompress: rename it"),
        ({"toy.py": "import nothing_like_it"}, "methods=methods: cannot be imported: ModuleNotFoundError: No module"),
    ],
)
def test_what_is_wrong_with_own_methods_is_said_in_a_line(
    files: dict[str, str], message: str, tmp_path: Path, cache: Path
) -> None:
    for name, content in files.items():
        (tmp_path / "methods").mkdir(exist_ok=True)
        (tmp_path / "methods" / name).write_text(content)
    done = small.run(tmp_path, cache, "search=ads", f"methods={'methods' if files else 'nowhere'}")
    assert done.returncode == 2
    assert done.stderr.strip().startswith(f"autocompress: error: {message}"), done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
