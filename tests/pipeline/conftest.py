from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared data, teachers and graphs, shared by every small study."""
    return tmp_path_factory.mktemp("cache")
