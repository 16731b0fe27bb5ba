"""`python -m autocompress [search] [overrides]`."""

import re
from collections.abc import Sequence

SEVERAL_WORKERS = re.compile(r"\+*execution\.n_workers=([2-9]|[1-9]\d+)")
NO_WORKERS_HERE = {"execution.join=true", "execution=ray", "--cfg"}


def run(items: Sequence[str]) -> int:
    """Compose every job, then search them one after another; returns the first status that is not 0.

    Raises UserError for bad input, before any job has started. A job that was interrupted ends the rest.
    """
    if any(SEVERAL_WORKERS.fullmatch(item) for item in items) and not NO_WORKERS_HERE & set(items):
        # a guess: a search that has workers begins with it in any case, some seconds later
        from autocompress.search.nursery import prepare_nursery

        prepare_nursery()
    from autocompress.config.compose import compose

    configs = compose(items)
    if not configs:
        return 0
    from autocompress.search.run import search

    status = 0
    for config in configs:
        own = search(config)
        status = status or own
        if own == 130:
            break
    return status
