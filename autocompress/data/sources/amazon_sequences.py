"""Amazon reviews as sequences: which item follows those that a person reviewed before.

McAuley et al., "Image-Based Recommendations on Styles and Substitutes", SIGIR 2015; the 5-core sequences in which
sequential recommenders publish them (Kang and McAuley, ICDM 2018; Zhou et al., CIKM 2020): a line per user,
`user item item ...` in order of time, items from 1. Beauty: 22,363 users, 12,101 items, 198,502 interactions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field as Limits

from autocompress.data.download import Remote
from autocompress.data.id_lists import read_id_lists
from autocompress.data.implicit import Pairs, known_pairs, leave_two_out, pairs_schema, rows
from autocompress.data.negatives import Negatives
from autocompress.data.public import PublicSet, credit, public_file
from autocompress.data.split import ByColumn, Splitting
from autocompress.digest import file_digest, json_digest
from autocompress.schema import Frozen, Schema

HOME = "https://raw.githubusercontent.com/salesforce/ICLRec/2890e6c3ff6a22c6699fc19cb863b66786c1cde4/data"
SETS: dict[str, str | None] = {
    "Beauty": "226cce9c3105299ca0db9615d7d3fb32b3175e90da43100ae352599f0f0107b8",
    "Sports_and_Outdoors": None,
    "Toys_and_Games": None,
}
"""sha256 of each set's file, as far as it is known."""


class AmazonSequences(Frozen):
    """`root` holds `name`.txt; without it the file is downloaded. `history` is how many items a row remembers."""

    kind: Literal["amazon_sequences"] = "amazon_sequences"
    synthetic: ClassVar[bool] = False
    licence: ClassVar[str] = "for research; no licence is stated"
    citation: ClassVar[str] = "McAuley et al., Image-Based Recommendations on Styles and Substitutes, SIGIR 2015"
    address: ClassVar[str] = "https://cseweb.ucsd.edu/~jmcauley/datasets/amazon/links.html"
    root: Path | None = None
    name: Literal["Beauty", "Sports_and_Outdoors", "Toys_and_Games"] = "Beauty"
    history: int = Limits(50, ge=1, le=1000)
    negatives: Negatives = Negatives()

    def row_schema(self) -> Schema:
        """Fields `user` and `item`, the list `history` in the ids of `item`, task `interaction`, groups by user."""
        return pairs_schema(self.history)

    def splitting(self) -> Splitting:
        """The last item of each user is for the test, the one before it for validation."""
        return ByColumn(column="split")

    def content_digest(self) -> str:
        """Of the bytes of the file, and of what is made of them."""
        made = self.model_dump(mode="json", include={"negatives", "history"})
        return json_digest({"file": file_digest(self._path()), **made})

    def notes(self) -> list[str]:
        """Where it is from: nothing is guessed."""
        return credit(self)

    def chunks(self) -> Iterator[pl.DataFrame]:
        """user, item (Int64), history (lists of Int64, oldest first), label (Int8), split (train, valid, test).

        Users of one or two items are in training alone.
        """
        users, items = read_id_lists(self._path())
        split, starts = leave_two_out(users)
        number = int(items.max()) + 1
        pairs = Pairs(users, items, split, known_pairs(users, items, number), number, starts)
        yield from rows(pairs, self.negatives, self.history)

    def _path(self) -> Path:
        file = f"{self.name}.txt"
        public = PublicSet(
            kind=self.kind,
            address=self.address,
            licence=self.licence,
            citation=self.citation,
            files=(file,),
            plain=(Remote(url=f"{HOME}/{file}", digest=SETS[self.name]),),
        )
        return public_file(public, self.root, (file,))
