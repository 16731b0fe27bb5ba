from pathlib import Path

import pytest
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError

from autocompress.config.space_source import SearchSpaceSource


@pytest.fixture
def source(tmp_path: Path) -> SearchSpaceSource:
    (tmp_path / "rows.yaml").write_text("keep: [0.5]\n")
    (tmp_path / "channels.yaml").write_text("keep: [0.25]\n")
    (tmp_path / "notes.txt").write_text("no search space\n")
    return SearchSpaceSource("test", f"search-spaces://{tmp_path}")


def test_a_file_lands_under_its_own_name(source: SearchSpaceSource) -> None:
    loaded = source.load_config("search_spaces/rows")
    assert loaded.header == {"package": "search_spaces.rows"}
    assert loaded.config == {"keep": [0.5]}


def test_the_group_lists_its_files_and_the_root_its_group(source: SearchSpaceSource) -> None:
    assert source.list("search_spaces", ObjectType.CONFIG) == ["channels", "rows"]
    assert source.list("search_spaces", ObjectType.GROUP) == []
    assert source.list("", ObjectType.GROUP) == ["search_spaces"]
    assert source.list("", ObjectType.CONFIG) == []


@pytest.mark.parametrize("path", ["rows", "search_spaces/notes", "search_spaces/", "data/rows", "search_spaces/a/rows"])
def test_nothing_else_is_a_config(source: SearchSpaceSource, path: str) -> None:
    assert not source.is_config(path)
    with pytest.raises(ConfigLoadError):
        source.load_config(path)


def test_a_folder_that_is_gone_is_not_available(tmp_path: Path) -> None:
    assert not SearchSpaceSource("test", f"search-spaces://{tmp_path / 'gone'}").available()
