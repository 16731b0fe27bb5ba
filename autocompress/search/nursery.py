"""The process that local workers are forked from: it has imported what they need, and has run nothing.

Nothing of this package or of torch is imported here: the command line begins with it before anything else, so that the
workers' imports, some seconds, go by beside its own.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext

WORKERS = "autocompress.search.workers"


def nursery() -> ForkServerContext:
    """Where `Process` makes workers. Started when the first one is, or earlier by `prepare_nursery`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([WORKERS])
    return context


def prepare_nursery() -> None:
    """Starts it, and returns at once; it ends with this process, and never by Ctrl-C before it.

    Does nothing outside of the main thread, where nobody may say what Ctrl-C does: the first worker starts it then.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    nursery()
    with _own_modules():
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # it inherits this, and so do its workers
        try:
            forkserver.ensure_running()
        finally:
            signal.signal(signal.SIGINT, before)


@contextmanager
def _own_modules() -> Iterator[None]:
    """Inside, a new Python imports what this one does: Python 3.11 does not tell the fork server, which would look into
    the current folder first."""
    wanted = {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
