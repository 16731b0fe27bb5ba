"""Where `conf/` and `search_spaces/` are: the packaged ones, the user's own, and the options that both offer."""

from pathlib import Path
from typing import Literal

from autocompress.errors import UserError

Folder = Literal["conf", "search_spaces"]


def packaged(name: Folder) -> Path:
    """Return the absolute path of our own folder: inside the package (wheel), else beside it (checkout, editable).

    Raises UserError when the installation lacks it.
    """
    package = Path(__file__).resolve().parents[1]
    for candidate in (package / name, package.parent / name):
        if candidate.is_dir():
            return candidate
    raise UserError(f"this installation of autocompress lacks its {name}/ folder: install it again")


def users(name: Folder) -> Path | None:
    """Return the absolute path of the user's folder in the current one, or None: absent, or the packaged one itself."""
    folder = Path.cwd() / name
    return folder if folder.is_dir() and not folder.samefile(packaged(name)) else None


def refuse_users_primary_config() -> None:
    """Raise UserError for a `./conf/config.yaml` of the user's: it would replace our whole composition in silence.

    A copy that is equal to ours passes: an installed autocompress that is run in a checkout.
    """
    folder = users("conf")
    if folder is None or not (folder / "config.yaml").is_file():
        return
    if (folder / "config.yaml").read_bytes() != (packaged("conf") / "config.yaml").read_bytes():
        raise UserError(
            "conf/config.yaml: not allowed here, it would silently replace the whole composition; "
            "put what you change into conf/search/<name>.yaml and run search=<name>"
        )


def groups() -> dict[str, tuple[str, ...]]:
    """Return every config group with its options, both sorted; the user's options stand among ours."""
    names = {entry.name for folder in _both("conf") for entry in folder.iterdir() if any(entry.glob("*.yaml"))}
    return {name: options(name) for name in sorted(names | {"search_spaces"})}


def options(group: str) -> tuple[str, ...]:
    """Return the sorted options of one config group; empty for a group that does not exist."""
    found = _both("search_spaces") if group == "search_spaces" else [folder / group for folder in _both("conf")]
    return tuple(sorted({file.stem for folder in found for file in folder.glob("*.yaml")}))


def _both(name: Folder) -> list[Path]:
    mine = users(name)
    return [packaged(name)] if mine is None else [mine, packaged(name)]
