from pathlib import Path

import pytest

from tests.contracts.small_model import Exporter, new_model


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of exported graphs. Torch's exporter takes seconds, once: it is paid here."""
    cache = tmp_path_factory.mktemp("graphs")
    Exporter(cache, cache)(new_model())
    return cache


@pytest.fixture
def exported(graphs: Path, tmp_path: Path) -> Exporter:
    return Exporter(graphs, tmp_path)
