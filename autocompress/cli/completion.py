"""Tab completion: Hydra's own, which knows overrides but no subcommands."""

import contextlib
import os
from collections.abc import Collection, Iterator, Sequence


def asked_by_shell(items: Sequence[str]) -> bool:
    """Return whether a shell asks while a person types: nothing may then be printed but completions."""
    return any(item.startswith("query=") for item in items) and bool({"-sc", "--shell-completion"} & set(items))


@contextlib.contextmanager
def without_subcommand(subcommands: Collection[str]) -> Iterator[None]:
    """Take the subcommand out of COMP_LINE, the line that the shell is completing, while the block runs."""
    line = os.environ.get("COMP_LINE")
    if line is None:
        yield
        return
    program, _, rest = line.partition(" ")
    word, space, overrides = rest.lstrip().partition(" ")
    if space and word in subcommands:
        os.environ["COMP_LINE"] = f"{program} {overrides}"
    try:
        yield
    finally:
        os.environ["COMP_LINE"] = line
