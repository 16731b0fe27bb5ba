from __future__ import annotations

import subprocess
import sys

import numpy as np

SCRIPT = """
from autocompress.measure.memory import peak_bytes
before = peak_bytes()
held = bytearray(b"1") * 200_000_000
del held
print(before, peak_bytes())
"""


def test_what_was_held_once_counts_though_it_was_given_back_and_what_the_parent_holds_does_not() -> None:
    held = np.ones(300_000_000, dtype=np.uint8)
    printed = subprocess.run([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True, check=True).stdout
    before, after = map(int, printed.split())
    assert before < 100_000_000 < held.nbytes
    assert after - before > 190_000_000
