import os
from collections.abc import Callable

import pytest
from hypothesis import settings

# As the command line does, before torch is imported: threads must not spin long, or tests slow each other down.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

# The same examples in every run: a test that fails, fails again. No deadline: the machine may be busy.
settings.register_profile("autocompress", max_examples=60, deadline=None, derandomize=True, database=None)
settings.load_profile("autocompress")


@pytest.fixture
def one_line(capsys: pytest.CaptureFixture[str]) -> Callable[[list[str], list[str]], str]:
    """Holds that a command line ends with status 2 and one line that says all of `expected`; gives that line."""
    from autocompress.cli.main import main

    def check(items: list[str], expected: list[str]) -> str:
        assert main(items) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("autocompress: error: ")
        assert printed.err.count("\n") == 1
        assert [part for part in expected if part not in printed.err] == []
        return printed.err

    return check
