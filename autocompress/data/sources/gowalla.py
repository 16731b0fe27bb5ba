"""Gowalla check-ins as implicit pairs: who was where, in the benchmark form of NGCF and LightGCN.

Cho et al., "Friendship and Mobility", KDD 2011; pairs and split of Wang et al., "Neural Graph Collaborative Filtering",
SIGIR 2019: train.txt and test.txt, a line per user, `user item item ...`; 29,858 users, 40,981 items, 810,128 training
and 217,242 test pairs. s_adj_mat.npz holds the training pairs as a normalised adjacency (CSR, users before items).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field as Limits

from autocompress.data.download import Remote
from autocompress.data.hashing import mix
from autocompress.data.id_lists import read_id_lists
from autocompress.data.implicit import Pairs, known_pairs, pairs_schema, rows
from autocompress.data.negatives import Ids, Negatives
from autocompress.data.public import PublicSet, credit, public_folder
from autocompress.data.split import ByColumn, Share, Splitting
from autocompress.digest import file_digest, json_digest
from autocompress.errors import UserError
from autocompress.schema import Frozen, Schema

USERS, ITEMS = 29_858, 40_981
TRAIN, TEST, ADJACENCY = "train.txt", "test.txt", "s_adj_mat.npz"
HOME = (
    "https://raw.githubusercontent.com/gusye1234/LightGCN-PyTorch/947ca2b3b1d2d3545b114145710cb06c4e57b3d2/data/gowalla"
)
PLAIN = (Remote(url=f"{HOME}/{TRAIN}"), Remote(url=f"{HOME}/{TEST}"))


class Gowalla(Frozen):
    """`root` holds train.txt and test.txt, or s_adj_mat.npz alone; without it the former are downloaded.

    `valid` is the share of the training pairs that become validation pairs; without test.txt as many become test pairs.
    """

    kind: Literal["gowalla"] = "gowalla"
    synthetic: ClassVar[bool] = False
    licence: ClassVar[str] = "for research; no licence is stated"
    citation: ClassVar[str] = "Cho et al., Friendship and Mobility, KDD 2011; split of Wang et al., SIGIR 2019"
    address: ClassVar[str] = "https://snap.stanford.edu/data/loc-gowalla.html"
    root: Path | None = None
    negatives: Negatives = Negatives()
    valid: Share = Limits(0.1, le=0.4)
    seed: int = Limits(0, ge=0)

    def row_schema(self) -> Schema:
        """Fields `user` and `item`, task `interaction`, groups by user."""
        return pairs_schema()

    def splitting(self) -> Splitting:
        """As `split` says: published test pairs, validation pairs by a hash of the pair's number and `seed`."""
        return ByColumn(column="split")

    def content_digest(self) -> str:
        """Of the bytes of the files, and of how negatives and validation pairs are drawn."""
        files = [file_digest(path) for path in self._files]
        return json_digest({"files": files, **self.model_dump(mode="json", include={"negatives", "valid", "seed"})})

    def notes(self) -> list[str]:
        """Where it is from, and a line where test.txt is absent."""
        drawn = [] if len(self._files) == 2 else [f"{TEST} is not there: test pairs are drawn from the training pairs"]
        return [*credit(self), *drawn]

    def chunks(self) -> Iterator[pl.DataFrame]:
        """user, item (Int64), label (Int8; 1 for a pair, 0 for its negatives), split (train, valid, test)."""
        users, items, test = self._pairs()
        number = max(ITEMS, int(items.max()) + 1)
        known = known_pairs(users, items, number)
        yield from rows(Pairs(users, items, self._split(len(users), test), known, number), self.negatives)

    def _pairs(self) -> tuple[Ids, Ids, int]:
        """Users, items, and how many of the last pairs are published as test pairs."""
        if self._files[0].name == ADJACENCY:
            return *_adjacency(self._files[0]), 0
        train, test = (read_id_lists(path) for path in self._files)
        users, items = (np.concatenate(both) for both in zip(train, test, strict=True))
        return users, items, len(test[0])

    def _split(self, pairs: int, test: int) -> NDArray[np.uint8]:
        uniform = mix(np.arange(pairs, dtype=np.uint64) + np.uint64(self.seed << 40)) / np.float64(2**64)
        if not test:
            return (uniform < 2 * self.valid).astype(np.uint8) + (uniform < self.valid)
        codes = (uniform < self.valid).astype(np.uint8)
        codes[pairs - test :] = 2
        return codes

    @cached_property
    def _files(self) -> list[Path]:
        public = PublicSet(
            kind=self.kind,
            address=self.address,
            licence=self.licence,
            citation=self.citation,
            files=(TRAIN, TEST),
            plain=PLAIN,
        )
        folder = public_folder(public, self.root)
        there = [folder / name for name in (TRAIN, TEST) if (folder / name).is_file()]
        if len(there) == 2:
            return there
        if not there and (folder / ADJACENCY).is_file():
            return [folder / ADJACENCY]
        raise UserError(f"data.root: {folder} has neither {TRAIN} and {TEST} nor {ADJACENCY}: get them from {HOME}")


def _adjacency(path: Path) -> tuple[Ids, Ids]:
    """The pairs of the user rows, by user and item."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            indices, starts, shape = stored["indices"], stored["indptr"], stored["shape"].tolist()
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"data.root: {path} is no sparse matrix as scipy stores one: {error}") from error
    if shape != [USERS + ITEMS] * 2:
        raise UserError(f"data.root: {path} is {shape[0]:,} x {shape[-1]:,}: wanted is {USERS + ITEMS:,} on both sides")
    users = np.repeat(np.arange(USERS, dtype=np.int64), np.diff(starts[: USERS + 1]))
    return users, indices[: starts[USERS]].astype(np.int64) - USERS
