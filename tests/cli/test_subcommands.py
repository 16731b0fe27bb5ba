import sys
from pathlib import Path

import pytest

from autocompress.cli.main import main
from tests.cli.stand_ins import Calls


def test_without_a_subcommand_it_searches(calls: Calls) -> None:
    assert main([]) == 0
    assert calls.given[0][0].data["kind"] == "ads_simulator"


def test_the_word_search_changes_nothing(calls: Calls) -> None:
    main(["search=ads"])
    main(["search", "search=ads"])
    assert calls.given[0] == calls.given[1]


def test_overrides_reach_the_search(calls: Calls) -> None:
    main(["search=ads", "study.n_trials=7"])
    assert calls.given[0][0].study["n_trials"] == 7


def test_the_status_of_the_search_is_the_status_of_the_program(calls: Calls) -> None:
    calls.statuses = [130]
    assert main(["search=ads"]) == 130


def test_multirun_searches_once_per_value(calls: Calls) -> None:
    assert main(["-m", "study.n_trials=1,2"]) == 0
    assert [config.study["n_trials"] for (config,) in calls.given] == [1, 2]


def test_multirun_returns_the_first_status_that_is_not_zero(calls: Calls) -> None:
    calls.statuses = [0, 3, 0]
    assert main(["-m", "study.n_trials=1,2,3"]) == 3
    assert len(calls.given) == 3


def test_an_interrupted_job_ends_a_multirun(calls: Calls) -> None:
    calls.statuses = [130]
    assert main(["-m", "study.n_trials=1,2,3"]) == 130
    assert len(calls.given) == 1


def test_multirun_starts_no_job_when_one_of_them_is_wrong(calls: Calls) -> None:
    assert main(["-m", "data=ads_simulator,adz"]) == 2
    assert calls.given == []


@pytest.mark.parametrize("items", [["search=ads"], ["-m", "study.n_trials=1,2"], ["--cfg", "job"], ["data=adz"]])
def test_the_command_line_itself_leaves_no_file(items: list[str], calls: Calls, empty_folder: Path) -> None:
    main(items)
    assert list(empty_folder.iterdir()) == []
    assert Path.cwd() == empty_folder


def test_ctrl_c_exits_with_130(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["autocompress.search.run"], "search", interrupted)
    assert main([]) == 130


def test_a_crash_keeps_its_exception(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(sys.modules["autocompress.search.run"], "search", crash)
    with pytest.raises(ZeroDivisionError):
        main([])


def test_rows_takes_its_own_keys_out_of_the_overrides(calls: Calls) -> None:
    assert main(["rows", "search=ads", "split=valid", "output=rows.parquet", "data=ads_simulator"]) == 0
    data, _, _, split, output, _ = calls.given[0]
    assert (data["kind"], split, output) == ("ads_simulator", "valid", Path("rows.parquet"))


def test_rows_writes_the_test_split_unless_told_otherwise(calls: Calls) -> None:
    main(["rows", "output=rows.parquet"])
    assert calls.given[0][3] == "test"


def test_rows_prints_what_is_said_of_the_data(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    main(["rows", "output=rows.parquet"])
    calls.given[0][5]("price: number")
    assert capsys.readouterr().out == "price: number\n"


@pytest.mark.parametrize("items", [["search=ads"], ["rows", "output=rows.parquet"]], ids=["search", "rows"])
def test_where_a_preparation_fails_its_one_line_stands_alone(
    items: list[str], empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{row % 7},{row % 11}.5,{row % 2 if row < 200 else 0}\n" for row in range(300)]
    (empty_folder / "log.csv").write_text("id,amount,click\n" + "".join(lines))
    log = ["data=table", "data.path=log.csv", "data.label=click", "data.split={by: order}"]
    assert main([*items, *log, f"cache={empty_folder}/cache"]) == 2
    printed = capsys.readouterr()
    assert "always 0" in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_predict_is_given_three_paths(calls: Calls) -> None:
    assert main(["predict", "artefact=a", "input=i.parquet", "output=o=1.parquet"]) == 0
    assert calls.given == [(Path("a"), Path("i.parquet"), Path("o=1.parquet"))]


def test_measure_returns_the_status_of_the_measurement(calls: Calls) -> None:
    calls.statuses = [1]
    assert main(["measure", "artefact=a"]) == 1
    assert calls.given == [(Path("a"),)]


def test_cfg_job_prints_the_composition_and_runs_nothing(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data=kuairand", "--cfg", "job"]) == 0
    assert "kind: kuairand" in capsys.readouterr().out
    assert calls.given == []


def test_info_names_where_the_files_come_from(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--info", "searchpath"]) == 0
    assert "search_spaces" in capsys.readouterr().out


def test_hydras_own_help_remains_reachable(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--hydra-help"]) == 0
    assert "--shell-completion" in capsys.readouterr().out


def test_a_tilde_removes_a_key(calls: Calls) -> None:
    main(["~study.n_trials"])
    assert "n_trials" not in calls.given[0][0].study


def test_a_plus_adds_a_key(calls: Calls) -> None:
    main(["+study.note=x"])
    assert calls.given[0][0].study["note"] == "x"


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.count(".") == 2
