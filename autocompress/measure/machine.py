"""The machine on which something was measured: latencies mean nothing without it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from autocompress.digest import json_digest

CPUINFO = Path("/proc/cpuinfo")
INSTRUCTIONS = ("amx_int8", "avx512_vnni", "avx_vnni", "avx512f", "avx2", "i8mm", "asimddp")
"""Of x86 and ARM, those that int8 and float arithmetic differ by, the best first."""


def machine() -> dict[str, str | int | float | None]:
    """Processor, cores that this process may use, memory, system and library versions; no host name, no path.

    `torch` is None where it is not installed: a bundle is measured without it.
    """
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "os": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "onnxruntime": version("onnxruntime"),
        "torch": _version("torch"),
    }


def machine_digest() -> str:
    """Eight hex digits over `machine()`."""
    return json_digest(machine())[:8]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    """Its name, where a system tells one, and the widest of `INSTRUCTIONS`: clouds give quite different ones a name."""
    told = dict[str, str]()
    if CPUINFO.exists():
        pairs = (line.partition(":") for line in CPUINFO.read_text().splitlines())
        told = {name.strip(): value.strip() for name, _, value in pairs}
    name = told.get("model name") or platform.processor() or platform.machine()
    known = (told.get("flags") or told.get("Features") or "").split()
    widest = next((each for each in INSTRUCTIONS if each in known), None)
    return name if widest is None else f"{name}, {widest}"
