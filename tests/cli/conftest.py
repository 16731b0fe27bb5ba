from pathlib import Path

import pytest

from tests.cli.stand_ins import Calls, install


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return install(monkeypatch)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test runs in an empty folder, outside the checkout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUTOCOMPRESS_DEBUG", raising=False)
    return tmp_path
