"""The process that workers are forked from begins before the command's own imports, and only where it is wanted."""

from __future__ import annotations

import subprocess
import sys

import pytest

from autocompress.cli.main import main
from autocompress.search import nursery
from tests.cli.stand_ins import Calls


@pytest.mark.parametrize(
    ("items", "begun"),
    [
        (["execution.n_workers=2"], 1),
        (["search=ads", "execution.n_workers=12"], 1),
        (["execution.n_workers=1"], 0),
        (["search=ads"], 0),
        (["++execution.n_workers=2"], 1),
        (["execution.n_workers=2", "execution.join=true"], 0),
        (["execution.n_workers=2", "execution=ray"], 0),
    ],
)
def test_it_begins_where_workers_will_be_forked(
    items: list[str], begun: int, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[None] = []
    monkeypatch.setattr(nursery, "prepare_nursery", lambda: prepared.append(None))
    assert main(items) == 0
    assert len(prepared) == begun


def test_it_imports_nothing_that_takes_long() -> None:
    code = "import sys, autocompress.search.nursery; print(sorted({'torch', 'optuna', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
