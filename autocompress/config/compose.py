"""Command-line overrides -> composed by Hydra -> validated run configs."""

import contextlib
import io
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from omegaconf import DictConfig, OmegaConf
from pydantic import ValidationError

from autocompress.config.folders import packaged, refuse_users_primary_config
from autocompress.config.hydra_errors import COMPOSITION_ERRORS, translate
from autocompress.config.searchpath import register
from autocompress.config.validation import user_error
from autocompress.errors import UserError, nearest
from autocompress.family import extend

if TYPE_CHECKING:
    from autocompress.config.run import RunConfig

FLAGS = ("--help", "--hydra-help", "--version", "--cfg", "--resolve", "--package", "--run", "--multirun",
         "--shell-completion", "--config-name", "--config-dir", "--info")  # fmt: skip
REFUSED = {
    "--experimental-rerun": "it reads a pickle, which may execute anything",
    "--config-path": "it would replace the packaged conf/; add a folder with --config-dir",
    "-cp": "it would replace the packaged conf/; add a folder with --config-dir",
}


def compose(overrides: Sequence[str]) -> tuple["RunConfig", ...]:
    """Return one validated config per job: one, or several with `-m`, all of them checked before any of them runs.

    `overrides` is what stands after the subcommand, flags of Hydra's included. What only shows something (`--cfg job`,
    `--info`, `-sc`) prints it and returns no config. Nothing is written, no folder is made or changed into.
    Raises UserError for every key, value or file that is not right.
    """
    for flag, reason in REFUSED.items():
        if any(item.partition("=")[0] == flag for item in overrides):
            raise UserError(f"{flag}: not supported, {reason}")
    refuse_users_primary_config()
    register()
    configs: list[RunConfig] = []

    def collect(composed: DictConfig) -> None:
        configs.append(to_run_config(composed))

    items = list(overrides)
    with _sweep_folder(overrides) as folder:
        while True:
            try:
                _run_hydra(collect, [*items, *folder])
                return tuple(configs)
            except UserError as error:
                replacing = _replacing(items, str(error))
                if replacing is None:
                    raise
                items = replacing
                configs.clear()


def _replacing(items: Sequence[str], refusal: str) -> list[str] | None:
    """Return `items` with one override that replaces its knob, where OmegaConf refused to merge the two; else None.

    It merges no list into a map: `search_spaces.rows.keep=[0.1,0.5]` where the file has a range, or a range for a list.
    """
    found = re.fullmatch(r"Error merging override ((search_spaces\.\w+\.\w+)=.+)", refusal)
    if found is None or found[1] not in items:
        return None
    place = list(items).index(found[1])
    return [*items[:place], f"~{found[2]}", f"+{found[1]}", *items[place + 1 :]]


def to_run_config(composed: DictConfig) -> "RunConfig":
    """Return the typed config of a composed one, without its `hydra` node; raises UserError."""
    from autocompress.config.run import RunConfig

    try:
        plain = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    except COMPOSITION_ERRORS as error:
        raise translate(error) from error
    if isinstance(plain, dict) and plain.get("methods"):
        # before anything is validated: a plan may only hold what is known
        extend("autocompress.compress", Path(str(plain["methods"])).expanduser(), "methods")
    try:
        return RunConfig.model_validate(plain)
    except ValidationError as error:
        raise user_error(error, RunConfig, plain) from error


def _run_hydra(collect: hydra.TaskFunction, items: Sequence[str]) -> None:
    """Run the real `hydra.main`, for it alone knows all its flags; what it says on stderr is replayed when it ends."""
    entry = hydra.main(version_base="1.3", config_path=str(packaged("conf")), config_name="config")(collect)
    stderr = io.StringIO()
    failure: BaseException | None = None
    with _argv(items), contextlib.redirect_stderr(stderr):
        try:
            entry()
        except (UserError, *COMPOSITION_ERRORS, SystemExit) as error:
            failure = error
    if failure is None or (isinstance(failure, SystemExit) and failure.code in (0, None)):
        sys.stderr.write(stderr.getvalue())
    elif isinstance(failure, SystemExit):
        raise _refused_flag(stderr.getvalue()) from failure
    elif isinstance(failure, UserError):
        raise failure
    elif isinstance(failure, COMPOSITION_ERRORS):
        raise translate(failure, items) from failure


def _refused_flag(printed: str) -> UserError:
    last = (printed.strip().splitlines() or ["bad command line"])[-1]
    message = last.rpartition("error: ")[2]
    flag = next((word for word in message.split() if word.startswith("-")), None)
    return UserError(f"{message}{nearest(flag, FLAGS) if flag else ''}")


@contextlib.contextmanager
def _argv(items: Sequence[str]) -> Iterator[None]:
    """Hydra reads sys.argv, and prints its errors itself unless HYDRA_FULL_ERROR is set: both for this call only."""
    argv, full_error = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv, os.environ["HYDRA_FULL_ERROR"] = [argv[0], *items], "1"
    # `--info` makes Hydra give the root logger a handler for good, and the next call would log its config there
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        sys.argv = argv
        root.handlers[:] = handlers
        root.setLevel(level)
        if full_error is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = full_error


@contextlib.contextmanager
def _sweep_folder(overrides: Sequence[str]) -> Iterator[list[str]]:
    """Yield the override that sends the `multirun.yaml` of Hydra's sweeper to a folder that is removed again."""
    if not {"-m", "--multirun", "hydra.mode=MULTIRUN"} & set(overrides):
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="autocompress-") as folder:
        yield [f"hydra.sweep.dir='{folder}'"]
