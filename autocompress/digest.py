"""Digests of plain data and files: the keys under which everything computed is found again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def json_digest(value: object) -> str:
    """Hex sha256 of the canonical JSON (sorted keys, no spaces) of `value`; `TypeError` where it is not JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Hex sha256 of a file's bytes, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
