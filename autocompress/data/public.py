"""Where a public data set lies: in a folder that is named, or in the cache, downloaded from its public address."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from autocompress.data.download import Remote, fetch
from autocompress.data.unpack import unpack
from autocompress.errors import UserError
from autocompress.schema import Frozen

CACHE = "AUTOCOMPRESS_CACHE"
"""Environment variable that names the cache folder; without it the cache is ~/.cache/autocompress."""


class Published(Protocol):
    """What every source of a public set says of it."""

    @property
    def kind(self) -> str:
        """Its name in `data=<kind>`."""

    @property
    def licence(self) -> str:
        """Under which it may be used."""

    @property
    def citation(self) -> str:
        """What to cite."""

    @property
    def address(self) -> str:
        """Its page, where a person finds terms and files."""


class PublicSet(Frozen):
    """What a person needs to get a set by hand, and what a program needs to fetch it.

    `address` is its page, `citation` what to cite, `files` are the names (of data.root) that are expected there.
    `archive` is a file that anyone may download without a login or a consent, None where there is none; `nested` are
    archives inside it, in the order in which they are unpacked; `plain` are files that anyone may download as they are,
    where there is no archive; `checksums` are md5 digests of unpacked files, by name.
    """

    kind: str
    address: str
    licence: str
    citation: str
    files: tuple[str, ...]
    archive: Remote | None = None
    plain: tuple[Remote, ...] = ()
    nested: tuple[str, ...] = ()
    checksums: Mapping[str, str] = {}


def credit(source: Published) -> list[str]:
    """The lines of `notes` that say where a set is from, how it may be used and what to cite."""
    return [f"{source.kind}: {source.address} ({source.licence})", f"cite: {source.citation}"]


def public_folder(public: PublicSet, root: Path | None) -> Path:
    """`root`, or the folder of the cache that holds the downloaded and unpacked files of the set.

    `UserError` where `root` is no folder, and where it is None and the set cannot be downloaded without a person.
    """
    if root is not None:
        folder = root.expanduser()
        if not folder.is_dir():
            raise UserError(f"data.root={root} is no folder: put {_expected(public)} there")
        return folder
    cache = cache_folder() / "raw" / public.kind
    if public.plain:
        for each in public.plain:
            fetch(each, cache)
        return cache
    if public.archive is None:
        raise UserError(
            f"data.root is not set, and data={public.kind} cannot be downloaded without a login or a consent: "
            f"get {_expected(public)} and set data.root to their folder"
        )
    return _downloaded(public, public.archive, cache)


def public_file(public: PublicSet, root: Path | None, names: tuple[str, ...]) -> Path:
    """The first of `names` (forms of one file: plain, gz) that is in `public_folder`; `UserError` where none is."""
    folder = public_folder(public, root)
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise UserError(f"data.root: {folder} has no file {' or '.join(names)}: get {_expected(public)}")
    return found


def cache_folder() -> Path:
    """The folder for what can be computed or downloaded again; it need not exist."""
    return Path(os.environ.get(CACHE) or "~/.cache/autocompress").expanduser()


def _downloaded(public: PublicSet, archive: Remote, cache: Path) -> Path:
    folder = unpack(fetch(archive, cache), cache / "files")
    for number, name in enumerate(public.nested):
        folder = unpack(folder / name, cache / f"files{number + 1}")
    inner = next((path.parent for path in sorted(folder.rglob(public.files[0]))), folder)
    for name, wanted in public.checksums.items():
        path = inner / name
        found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() if path.is_file() else "no such file"
        if found != wanted:
            raise UserError(f"data.root: {path} is not the file that was published: md5 {found}, wanted {wanted}")
    return inner


def _expected(public: PublicSet) -> str:
    return f"{', '.join(public.files)} from {public.address} ({public.licence}; cite {public.citation})"
