"""The entry point: chooses the subcommand, and turns what it raises into a line and an exit status."""

import importlib
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence

from autocompress.cli.completion import asked_by_shell, without_subcommand
from autocompress.cli.help import SUBCOMMANDS, help_text
from autocompress.errors import UserError, not_allowed

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status: 0, 2 for bad input, 130 after Ctrl-C, else the command's own.

    `argv` leaves out the program's name; None takes `sys.argv`. AUTOCOMPRESS_DEBUG=1 shows the traceback of bad input.
    """
    items = list(sys.argv[1:] if argv is None else argv)
    # Read by GNU OpenMP when torch is imported. Left alone, threads spin long while they wait and steal the cores from
    # each other as soon as anything else runs; threads that never spin pay a wake-up for every small operator.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    try:
        return _dispatch(items)
    except UserError as error:
        if asked_by_shell(items):
            return error.exit_status
        if os.environ.get("AUTOCOMPRESS_DEBUG") == "1":
            traceback.print_exc()
        print(f"autocompress: error: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED


def _dispatch(items: list[str]) -> int:
    subcommand, rest = _split(items)
    if {"-h", "--help"} & set(rest):
        print(help_text(subcommand if rest != items else None))
        return 0
    if rest == ["--version"]:
        from autocompress import __version__

        print(__version__)
        return 0
    command: Callable[[Sequence[str]], int] = importlib.import_module(f"autocompress.cli.{subcommand}").run
    with without_subcommand(SUBCOMMANDS):
        return command(rest)


def _split(items: list[str]) -> tuple[str, list[str]]:
    """Return the subcommand and what follows; a first item that is no override and no flag must be a subcommand."""
    if not items or not re.fullmatch(r"[A-Za-z][\w-]*", items[0]):
        return "search", items
    if items[0] not in SUBCOMMANDS:
        raise not_allowed(f"{items[0]}: no such subcommand", items[0], SUBCOMMANDS)
    return items[0], items[1:]
