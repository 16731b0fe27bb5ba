from pathlib import Path

import pytest

from autocompress.report.contract import FrontFile

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def example() -> FrontFile:
    """A finished synthetic study of two tasks: made-up numbers in the shape of the contract."""
    return FrontFile.model_validate_json((DOCS / "front.example.json").read_bytes())


@pytest.fixture
def running(example: FrontFile) -> FrontFile:
    """The same study before its end: no test value anywhere."""
    content = example.model_dump()
    content["state"] = "running"
    for file in (content["teacher"], *content["landmarks"], *content["points"]):
        for metrics in file["quality"].values():
            for value in metrics.values():
                value.update(test=None, test_ci95=None, test_drop=None, test_drop_ci95=None)
    return FrontFile.model_validate(content)
