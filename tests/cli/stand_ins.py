"""Stand-ins for the commands, so that the tests of the command line import neither torch nor a model."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict


class AnyConfig(BaseModel):
    """Accepts whatever the packaged configuration composes to."""

    model_config = ConfigDict(frozen=True, extra="allow")

    data: dict[str, Any]
    study: dict[str, Any]
    cleaning: dict[str, Any]
    cache: Path


@dataclass
class Calls:
    """What the stand-ins were called with, and the statuses that their next calls return (then 0)."""

    given: list[tuple[Any, ...]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def record(self, *given: Any) -> int:
        self.given.append(given)
        return self.statuses.pop(0) if self.statuses else 0


def install(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls()
    _replace(monkeypatch, "autocompress.config.run", RunConfig=AnyConfig)
    _replace(monkeypatch, "autocompress.search.run", search=calls.record)
    _replace(monkeypatch, "autocompress.data.rows", write_rows=calls.record)
    _replace(monkeypatch, "autocompress.measure.predict", predict=calls.record)
    _replace(monkeypatch, "autocompress.measure.remeasure", remeasure=calls.record)
    return calls


def _replace(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> None:
    module = ModuleType(name)
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)
