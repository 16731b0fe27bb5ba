"""The process that local workers are forked from: it has imported everything, and has no threads.

Nothing of this package or of torch is imported here: the command line begins with it before anything else, so that the
workers' imports, some seconds, go by beside its own.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
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
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # it inherits this, and so do its workers
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, before)
