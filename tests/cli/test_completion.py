import pytest

from autocompress.cli.main import main


def completions(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    monkeypatch.setenv("COMP_LINE", line)
    main(["-sc", "query=bash"])
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out.split()


@pytest.mark.parametrize("line", ["autocompress data=ku", "autocompress search data=ku", "autocompress rows data=ku"])
def test_an_option_is_completed_after_any_subcommand(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert completions(line, monkeypatch, capsys) == ["data=kuairand"]


def test_a_key_is_completed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "study.n_trials=" in completions("autocompress search=ads study.n_t", monkeypatch, capsys)


def test_search_spaces_are_completed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "search_spaces=rows" in completions("autocompress search_spaces=ro", monkeypatch, capsys)


def test_a_line_that_cannot_be_completed_prints_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert completions("autocompress nonsense data=ku", monkeypatch, capsys) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-sc", f"install={shell}"]) == 0
    assert "complete" in capsys.readouterr().out
