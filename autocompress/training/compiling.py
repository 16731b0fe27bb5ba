"""Whether it pays to let torch compile the dense part of a model."""

from __future__ import annotations

import os
import shutil

import torch

REPAID = 20_000_000
"""Rows of a training from which half a minute of compiling is little: it saves 6 microseconds a row (ADR 5)."""


def worth_compiling(rows: int) -> bool:
    """Whether a training over `rows` rows (epochs counted) is long enough, and there is a compiler.

    Decided by rows and not by a clock: a plan gives the same artefact whenever it is run on a machine.
    """
    return rows >= REPAID and compiler_there()


def compiler_there() -> bool:
    """Whether torch finds what it compiles with: a C++ compiler on a CPU; a GPU brings its own."""
    return torch.cuda.is_available() or any(
        shutil.which(name) for name in (os.environ.get("CXX", ""), "g++", "clang++")
    )
