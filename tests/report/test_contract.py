import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from autocompress.report.contract import FrontFile, json_schema

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def schema() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((DOCS / "front.schema.json").read_text())
    return content


def test_the_committed_schema_is_up_to_date(schema: dict[str, Any]) -> None:
    assert schema == json_schema(), "run: python -m autocompress.report.contract > docs/front.schema.json"


def test_the_committed_example_validates_against_the_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads((DOCS / "front.example.json").read_text()), schema)


def test_a_running_study_validates_with_null_test_values(schema: dict[str, Any], running: FrontFile) -> None:
    jsonschema.validate(json.loads(running.model_dump_json()), schema)


def test_a_machine_may_have_no_torch(schema: dict[str, Any], example: FrontFile) -> None:
    content = json.loads(example.model_dump_json())
    content["machine"]["torch"] = None
    jsonschema.validate(content, schema)
    assert FrontFile.model_validate(content).machine.torch is None


@pytest.mark.parametrize("key", ["study", "teacher", "points", "test_reused"])
def test_the_schema_refuses_a_front_without(key: str, schema: dict[str, Any], example: FrontFile) -> None:
    content = json.loads(example.model_dump_json())
    del content[key]
    with pytest.raises(jsonschema.ValidationError, match=key):
        jsonschema.validate(content, schema)


def test_the_example_says_that_it_is_synthetic(example: FrontFile) -> None:
    assert example.data.synthetic
    assert any("synthetic" in warning for warning in example.warnings)
