"""Fetching one public file over HTTP into a folder: resumed where it was cut, checked before it gets its name."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib import error as url_errors
from urllib import request
from urllib.parse import unquote, urlsplit

from pydantic import Field as Limits
from pydantic import field_validator

from autocompress.errors import UserError
from autocompress.schema import Frozen

BLOCK = 1 << 20
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
"""HTTP states that may be over when asked again (RFC 9110); any other error state is final."""


class Remote(Frozen):
    """One file at an http or https address; `digest` is its sha256 or md5 in hex, `size` its length in bytes."""

    url: str
    digest: str | None = Limits(None, pattern=r"^([0-9a-f]{32}|[0-9a-f]{64})$")
    size: int | None = Limits(None, ge=0)

    @field_validator("url")
    @classmethod
    def _is_a_web_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii():
            raise ValueError(f"{url!r} is no http or https address")
        name = unquote(parts.path.rpartition("/")[2])
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise ValueError(f"{url!r} does not end with the name of a file")
        return url

    @property
    def name(self) -> str:
        """The last part of the address, without its query."""
        return unquote(urlsplit(self.url).path.rpartition("/")[2])


def fetch(
    remote: Remote, folder: Path, key: str = "data.root", *, tries: int = 4, wait: float = 1.0, timeout: float = 30.0
) -> Path:
    """Path of the file in `folder`: as it lies there, or downloaded.

    A file that has its name is complete; until then it is `<name>.part`, and what that holds is not asked for again as
    far as the server can say (or `digest` can tell) that it is a part of the same file. A cut connection is taken up
    again, `tries` times in a row at most without a byte more, after `wait`, 2 `wait`, 4 `wait`, ... seconds; `timeout`
    is seconds without a byte. Proxies are those of the environment. `UserError` where the address cannot be reached,
    the bytes are wrong (the part file is then removed), another process fetches the file, or the disk is full.
    """
    path = folder / remote.name
    if path.is_file():
        return path
    part = folder / f"{remote.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(part, key) as stream:
            if path.is_file():
                part.unlink(missing_ok=True)
                return path
            _complete(remote, stream, folder, key, tries, wait, timeout)
            _check(remote, part, key)
            os.fsync(stream.fileno())
            os.replace(part, path)
            _tag(part).unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{key}: {folder} cannot take {remote.name}: {error.strerror or error}") from error
    return path


def _complete(
    remote: Remote, stream: BinaryIO, folder: Path, key: str, tries: int, wait: float, timeout: float
) -> None:
    failed = 0
    while True:
        before = stream.seek(0, os.SEEK_END)
        reason = _transfer(remote, stream, key, timeout)
        if reason is None:
            return
        failed = 1 if stream.seek(0, os.SEEK_END) > before else failed + 1
        final = reason.startswith("HTTP ") and int(reason[5:8]) not in TRANSIENT
        if final or failed >= tries:
            raise UserError(
                f"{key}: {remote.url} cannot be reached ({reason}): download it by hand into {folder.absolute()}"
            )
        time.sleep(min(wait * 2 ** (failed - 1), 60.0))


def _transfer(remote: Remote, stream: BinaryIO, key: str, timeout: float) -> str | None:
    """Appends what is missing; None when the file is complete, else why it is not."""
    tag = _tag(Path(stream.name))
    known = tag.read_text() if tag.exists() else ""
    start = stream.seek(0, os.SEEK_END)
    if start and not (known or remote.digest):
        start = _restart(stream)
    asked = request.Request(remote.url, headers={"User-Agent": "autocompress"})
    if start:
        asked.add_header("Range", f"bytes={start}-")
        if known:
            asked.add_header("If-Range", known)
    try:
        with _opener().open(asked, timeout=timeout) as answer:
            total = _total(answer.headers.get("Content-Range"), start) if answer.status == 206 else None
            if answer.status != 206:
                start = _restart(stream)
                length = answer.headers.get("Content-Length", "")
                total = int(length) if length.isdigit() else None
            elif total is None:
                _restart(stream)
                return "the server sent another range than was asked for"
            tag.write_text(_validator(answer.headers))
            return _append(answer, stream, key, total, remote)
    except url_errors.HTTPError as error:
        error.close()
        if error.code != 416:
            return f"HTTP {error.code} {error.reason}"
        if error.headers.get("Content-Range", "").removeprefix("bytes */") == str(start):
            return None
        _restart(stream)
        return "the part file is longer than the file"
    except url_errors.URLError as error:
        return str(error.reason)
    except (http.client.HTTPException, OSError) as error:
        return str(error) or type(error).__name__


def _append(
    answer: http.client.HTTPResponse, stream: BinaryIO, key: str, total: int | None, remote: Remote
) -> str | None:
    done, shown = stream.tell(), 0.0
    while block := answer.read(BLOCK):
        try:
            stream.write(block)
            stream.flush()
        except OSError as error:
            raise UserError(f"{key}: {stream.name} cannot be written: {error.strerror or error}") from error
        done += len(block)
        if time.monotonic() - shown > 0.2:
            shown = time.monotonic()
            _show(remote.name, done, total or remote.size)
    _show(remote.name, done, total or remote.size, "\n")
    return None if total is None or done >= total else f"the connection was cut after {done} of {total} bytes"


def _show(name: str, done: int, total: int | None, end: str = "") -> None:
    if sys.stderr.isatty():
        share = f" of {total / 1e6:.1f} MB ({done / total:.0%})" if total else " MB"
        print(f"\r{name}: {done / 1e6:.1f}{share}", end=end, file=sys.stderr, flush=True)


def _check(remote: Remote, part: Path, key: str) -> None:
    found: int | str = part.stat().st_size
    wanted: int | str | None = remote.size
    if (wanted is None or wanted == found) and remote.digest is not None:
        with part.open("rb") as stream:
            kind = "md5" if len(remote.digest) == 32 else "sha256"
            wanted, found = remote.digest, hashlib.file_digest(stream, kind).hexdigest()
    if wanted is not None and wanted != found:
        part.unlink()
        _tag(part).unlink(missing_ok=True)
        what = "bytes" if isinstance(found, int) else "checksum"
        raise UserError(f"{key}: {remote.url} is not the file that was published: {what} {found}, wanted {wanted}")


@contextmanager
def _locked(part: Path, key: str) -> Iterator[BinaryIO]:
    with part.open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"{key}: {part} is being downloaded by another process: wait for it") from error
        yield stream


def _opener() -> request.OpenerDirector:
    """Handlers of http and https alone: a redirection leads to no file and no other scheme."""
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler(), request.HTTPHandler(), request.HTTPSHandler(), request.HTTPRedirectHandler(),
        request.HTTPDefaultErrorHandler(), request.HTTPErrorProcessor(), request.UnknownHandler(),
    ):  # fmt: skip
        opener.add_handler(handler)
    return opener


def _total(content_range: str | None, start: int) -> int | None:
    """Length of the whole file from `bytes START-END/TOTAL`; None where the range starts elsewhere or is unknown."""
    first, _, rest = (content_range or "").removeprefix("bytes ").partition("-")
    total = rest.rpartition("/")[2]
    return int(total) if first == str(start) and total.isdigit() else None


def _validator(headers: http.client.HTTPMessage) -> str:
    """What If-Range may carry: a strong entity tag, else the date of the last change, else nothing."""
    tag = str(headers.get("ETag", ""))
    return tag if tag.startswith('"') else str(headers.get("Last-Modified", ""))


def _tag(part: Path) -> Path:
    return part.with_name(f"{part.name}.tag")


def _restart(stream: BinaryIO) -> int:
    stream.truncate(0)
    return stream.seek(0)
