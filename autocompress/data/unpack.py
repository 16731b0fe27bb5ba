"""Unpacking an archive that somebody else made: plain files inside one new folder, or nothing."""

from __future__ import annotations

import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Protocol, cast

from autocompress.errors import UserError, not_allowed
from autocompress.storage import new_folder

LIMIT = 64 * 2**30
"""Bytes that an archive may unpack to, at most: five times the largest public set read here."""
RATIO = 100
"""Bytes that one byte of an archive may unpack to: text logs reach 30."""
GRACE = 64 * 2**20
"""Bytes that any archive may unpack to, however small it is."""
MEMBERS = 100_000
BLOCK = 1 << 20
SUFFIXES = (".zip", ".tar.gz", ".tgz", ".gz")


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Counted:
    """A stream that ends in `UserError` once more than `left` bytes have been read from it."""

    def __init__(self, stream: _Readable, left: int, archive: Path) -> None:
        self.stream, self.left, self.archive = stream, left, archive

    def read(self, size: int = BLOCK, /) -> bytes:
        block = self.stream.read(min(size, BLOCK, self.left + 1) if size >= 0 else BLOCK)
        self.left -= len(block)
        if self.left < 0:
            raise UserError(f"{self.archive} unpacks to more than it may: it is refused as a bomb")
        return block


def unpack(archive: Path, folder: Path, *, limit: int = LIMIT, ratio: int = RATIO) -> Path:
    """Unpacks a zip, tar.gz (tgz) or gz file into the new `folder`, whole or not at all, and returns `folder`.

    A folder that is there is what an earlier call left: it is returned as it is. Members are plain files and folders
    with relative names. `UserError` names archive and member where a member is absolute, leads out of the folder, is a
    link or a device, is encrypted, stands twice, or where all of them are more than `limit` bytes or more than `ratio`
    times the archive (64 MiB are always allowed), as declared or as they turn out; and where the archive is damaged.
    """
    if folder.is_dir():
        return folder
    suffix = next((suffix for suffix in SUFFIXES if archive.name.lower().endswith(suffix)), None)
    if suffix is None:
        raise not_allowed(f"{archive} is no archive that can be unpacked", archive.suffix, SUFFIXES)
    with _readable(archive):
        allowed = min(limit, max(GRACE, ratio * archive.stat().st_size))
        with new_folder(folder) as target:
            if suffix == ".zip":
                _unzip(archive, target, allowed)
            elif suffix == ".gz":
                with gzip.open(archive) as stream:
                    _write(_Counted(stream, allowed, archive), target / archive.name[: -len(suffix)])
            else:
                _untar(archive, target, allowed)
    return folder


def _unzip(archive: Path, target: Path, allowed: int) -> None:
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        if sum(member.file_size for member in members) > allowed:
            raise UserError(f"{archive} declares more bytes than it may unpack to: it is refused as a bomb")
        left, seen = allowed, set[str]()
        for member in members:
            # orig_filename: zipfile cuts the name of a member at a NUL and turns separators.
            path = _inside(archive, target, member.orig_filename, seen)
            if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise UserError(f"{archive}: member {member.filename!r} is a link or a device: it is refused")
            if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UserError(
                    f"{archive}: member {member.filename!r} is encrypted or packed unusually: unpack by hand"
                )
            if member.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            with opened.open(member) as stream:
                counted = _Counted(stream, left, archive)
                _write(counted, path)
                left = counted.left


def _untar(archive: Path, target: Path, allowed: int) -> None:
    seen, declared = set[str](), 0
    # Headers and members are counted alike: a header can be a bomb too.
    with ExitStack() as stack:
        counted = _Counted(stack.enter_context(gzip.open(archive)), allowed, archive)
        # Of a stream (mode "r|") tarfile only reads.
        opened = stack.enter_context(tarfile.open(fileobj=cast(IO[bytes], counted), mode="r|"))
        for member in opened:
            path = _inside(archive, target, member.name, seen)
            if not (member.isreg() or member.isdir()) or member.issparse():
                raise UserError(f"{archive}: member {member.name!r} is a link or a device: it is refused")
            declared += member.size
            if declared > allowed:
                raise UserError(f"{archive} declares more bytes than it may unpack to: it is refused as a bomb")
            if member.isdir():
                path.mkdir(parents=True, exist_ok=True)
            elif (content := opened.extractfile(member)) is not None:
                with content:
                    _write(content, path)
        # A stream that is cut behind its last member is damaged too.
        while counted.read():
            pass


def _inside(archive: Path, target: Path, name: str, seen: set[str]) -> Path:
    """Where a member goes; `UserError` where its name leads out of `target` or stands twice."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or "\\" in name or "\0" in name or ".." in parts or (parts and parts[0][1:2] == ":"):
        raise UserError(f"{archive}: member {name!r} leads out of the archive's folder: it is refused")
    plain = "/".join(parts)
    if plain and plain in seen:
        raise UserError(f"{archive}: member {name!r} stands twice: it is refused")
    seen.add(plain)
    if len(seen) > MEMBERS:
        raise UserError(f"{archive} has more than {MEMBERS} members, up to {name!r}: it is refused as a bomb")
    return target.joinpath(*parts)


def _write(stream: _Readable, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as written:
        while block := stream.read(BLOCK):
            written.write(block)


@contextmanager
def _readable(archive: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise UserError(f"{archive} is damaged, or no archive of its name: {str(error).splitlines()[0]}") from error
    except OSError as error:
        raise UserError(f"{archive} cannot be unpacked: {error.strerror or error}") from error
