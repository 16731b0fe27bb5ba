"""Blocks of a log encoded on a Ray cluster, by the functions that encode them here: the bytes are the same.

Rows come as numbers and go back as ids; the spool is read where the work is done, so every node must see the cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from autocompress.data.encode import Encoder
from autocompress.data.spool import Spool
from autocompress.data.write_split import EncodeBlocks, Ids, Rows, in_threads


class Encoded:
    """What an actor of Ray Data does with a block; its tables are built once."""

    def __init__(self, spool: Spool, encoder: Encoder) -> None:
        self._encode = in_threads(spool, encoder, workers=1)

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        """`rows` (n,) in, `ids` (n, slots) out."""
        (ids,) = self._encode([item["rows"]])
        return {"ids": ids}


def on_ray(spool: Spool, encoder: Encoder) -> EncodeBlocks:
    """As `in_threads`, over every CPU of the cluster that this process is connected to."""
    import ray.data

    resources: Any = ray.cluster_resources
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False

    def encoded(parts: Iterable[Rows]) -> Iterator[Ids]:
        blocks = list(parts)
        if not blocks:
            return
        actors = ray.data.ActorPoolStrategy(min_size=1, max_size=max(1, int(resources()["CPU"])))
        rows = ray.data.from_items([{"rows": block} for block in blocks], override_num_blocks=len(blocks))
        encode: Any = Encoded  # Ray takes a class where its types ask for a function
        for item in rows.map(encode, fn_constructor_args=(spool, encoder), compute=actors).iter_rows():
            yield item["ids"]

    return encoded
