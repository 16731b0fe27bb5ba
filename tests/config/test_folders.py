from pathlib import Path

import pytest

from autocompress.config import folders
from autocompress.errors import UserError, nearest, not_allowed


@pytest.mark.parametrize("name", ["conf", "search_spaces"])
def test_the_folder_inside_the_package_comes_before_the_one_beside_it(
    name: folders.Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "__file__", str(tmp_path / "autocompress" / "config" / "folders.py"))
    with pytest.raises(UserError, match=f"lacks its {name}"):
        folders.packaged(name)
    (tmp_path / name).mkdir()
    assert folders.packaged(name) == tmp_path / name
    (tmp_path / "autocompress" / name).mkdir(parents=True)
    assert folders.packaged(name) == tmp_path / "autocompress" / name


def test_a_folder_without_yaml_is_no_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf" / "notes").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert "notes" not in folders.groups()


def test_an_unknown_group_has_no_options() -> None:
    assert folders.options("nothing") == ()


@pytest.mark.parametrize(
    ("word", "expected"),
    [("chanels", "channels"), ("ROWS", "rows"), ("ads", "ads_simulator"), ("zzz", None)],
)
def test_the_nearest_word_is_suggested(word: str, expected: str | None) -> None:
    suggestion = nearest(word, ["channels", "rows", "ads_simulator"])
    assert suggestion == ("" if expected is None else f" (did you mean '{expected}'?)")


def test_the_allowed_words_are_listed_in_order() -> None:
    assert str(not_allowed("x=c", "c", ["b", "a"])) == "x=c; allowed: a, b"
