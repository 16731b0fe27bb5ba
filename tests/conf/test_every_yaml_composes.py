"""Every YAML that a person may name is found by itself, composed by Hydra and validated as the program would."""

import json
import re
import shlex
from pathlib import Path

import pytest

from autocompress.config.compose import compose
from autocompress.config.folders import groups, packaged

CONF, SPACES = packaged("conf"), packaged("search_spaces")
YAMLS = sorted([*CONF.rglob("*.yaml"), *SPACES.glob("*.yaml")])
SELECTIONS = [f"{file.parent.name}={file.stem}" for file in sorted(CONF.glob("*/*.yaml"))]
SPACE_SELECTIONS = [f"search_spaces=[{file.stem}]" for file in sorted(SPACES.glob("*.yaml"))]


def command_of(file: Path) -> str:
    """Return the command that the YAML's opening comment gives."""
    lines = [line for line in file.read_text().splitlines()[:3] if not line.startswith("# @package")]
    found = re.match(r"# (python -m autocompress .*)", lines[0])
    assert found is not None, f"{file.name} does not start with the command that uses it"
    return found[1]


def overrides_of(command: str) -> list[str]:
    """Return the overrides of a command, without flags and with DIR replaced; paths are checked when data is read."""
    words = [word for word in shlex.split(command, comments=True)[3:] if "=" in word]
    return [word.replace("DIR", "somewhere") for word in words]


@pytest.fixture(autouse=True)
def a_folder_with_a_saved_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint is looked into while a configuration is validated; data are not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "somewhere").mkdir()
    (tmp_path / "somewhere" / "tensors").touch()
    key = {"data": "", "model": {"kind": "from_scratch", "shape": {"kind": "dcnv2"}}}
    (tmp_path / "somewhere" / "training.json").write_text(json.dumps({"key": key}))


@pytest.mark.parametrize("selection", [*SELECTIONS, *SPACE_SELECTIONS])
def test_a_yaml_composes_and_validates(selection: str) -> None:
    needed = [word for word in overrides_of(command_of(file_of(selection))) if "." in word.partition("=")[0]]
    assert len(compose([selection, *needed])) == 1


@pytest.mark.parametrize("file", YAMLS, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_the_command_at_the_top_of_a_yaml_is_valid_and_uses_it(file: Path) -> None:
    overrides = overrides_of(command_of(file))
    assert len(compose(overrides)) == 1
    group = "" if file.parent == CONF else file.parent.name
    assert group == "" or any(override.startswith(group) for override in overrides)


@pytest.mark.parametrize("file", sorted(CONF.glob("search/*.yaml")), ids=lambda file: file.stem)
def test_the_command_line_wins_over_a_scenario(file: Path) -> None:
    needed = overrides_of(command_of(CONF / "data" / "kuairand.yaml"))
    (config,) = compose([*needed, f"search={file.stem}"])
    assert config.data.kind == "kuairand"


def test_all_search_spaces_compose_together() -> None:
    assert len(compose([f"search_spaces=[{','.join(groups()['search_spaces'])}]"])) == 1


def file_of(selection: str) -> Path:
    group, _, option = selection.partition("=")
    return SPACES / f"{option.strip('[]')}.yaml" if group == "search_spaces" else CONF / group / f"{option}.yaml"
