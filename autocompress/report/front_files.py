"""The front on disk: front.json, front.csv and front.html, each whole or not there at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from pydantic import ValidationError

from autocompress.report.contract import FrontFile
from autocompress.report.csv_table import front_csv
from autocompress.report.html_page import front_page


def write_front(front: FrontFile, folder: Path) -> None:
    """Writes the three files into `folder`, which is made where missing. Each replaces its older self atomically.

    Raises OSError where the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The JSON goes first: should drawing the page ever fail, the result itself is already safe.
    replace_text(folder / "front.json", front.model_dump_json(indent=2) + "\n")
    replace_text(folder / "front.csv", front_csv(front))
    replace_text(folder / "front.html", front_page(front))


def read_front(folder: Path) -> FrontFile:
    """The front that `write_front` left in `folder`.

    Raises FileNotFoundError where there is none, pydantic.ValidationError where it is not one.
    """
    return FrontFile.model_validate_json((folder / "front.json").read_bytes())


def last_front(folder: Path) -> FrontFile | None:
    """The front in `folder`; None where there is none, or none that this version reads."""
    try:
        return read_front(folder)
    except (FileNotFoundError, ValidationError):
        return None


def replace_text(path: Path, text: str) -> None:
    """Writes `text` (UTF-8) to `path`: a reader, or a crash at any moment, sees the old content or the new one."""
    # Not tempfile: its files are private to the owner, and a result is for everyone the umask allows.
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with unfinished.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
