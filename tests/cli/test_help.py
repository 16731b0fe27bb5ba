import shlex
import subprocess
import sys
import time

import pytest

from autocompress.cli.help import SUBCOMMANDS, help_text
from autocompress.cli.main import main
from autocompress.config.folders import groups, packaged
from tests.cli.stand_ins import Calls

HEAVY = ("torch", "pytorch_lightning", "lightning", "mlflow", "optuna", "hydra", "omegaconf", "polars", "onnxruntime")
COMMANDS = [["--help"], ["search", "--help"], ["rows", "-h"], ["predict", "--help"], ["measure", "--help"]]


@pytest.mark.parametrize("items", COMMANDS, ids=" ".join)
def test_help_fits_80_columns(items: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(items) == 0
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if len(line) > 80] == []
    assert "usage: python -m autocompress" in printed


def test_help_names_every_subcommand_and_every_option_of_every_group(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    words = capsys.readouterr().out.replace(",", " ").split()
    expected = {"search", "rows", "predict", "measure", *groups(), *(o for found in groups().values() for o in found)}
    assert expected - set(words) == set()


def examples() -> list[str]:
    """Every example command of every help, without the words about it."""
    lines = [line.strip() for subcommand in (None, *SUBCOMMANDS) for line in help_text(subcommand).splitlines()]
    commands = [line.partition("   ")[0] for line in lines if line.startswith("python -m autocompress ")]
    return list(dict.fromkeys(commands))


@pytest.mark.parametrize("command", examples())
def test_every_example_of_the_help_is_accepted(command: str, calls: Calls) -> None:
    assert main(shlex.split(command)[3:]) == 0
    assert len(calls.given) == (0 if "--cfg" in command else 3 if "-m search" in command else 1)


@pytest.mark.parametrize("items", COMMANDS, ids=" ".join)
def test_help_answers_within_a_second_and_a_half_and_imports_nothing_heavy(items: list[str]) -> None:
    code = (
        "import sys; from autocompress.cli.main import main; main(sys.argv[1:]);"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *items],
        cwd=packaged("conf").parent,
        check=True,
        capture_output=True,
        text=True,
    )
    assert time.perf_counter() - start < 1.5
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("module", ["predict", "measure"])
def test_the_commands_that_read_a_bundle_import_no_hydra_and_no_torch_for_their_keys(module: str) -> None:
    code = (
        f"import sys; from autocompress.cli import {module}; from autocompress.cli.main import main;"
        f"main([{module!r}, 'nonsense=1']); print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=packaged("conf").parent, check=True, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["[]"]
