"""Every plan of a finite space once, in a random order; the study ends when all have been tried."""

from __future__ import annotations

from typing import Literal

from optuna.samplers import BaseSampler, BruteForceSampler

from autocompress.errors import UserError
from autocompress.schema import Frozen
from autocompress.search.samplers.sampler import Setting
from autocompress.search.space import Range


class Grid(Frozen):
    """Knobs that exist only beside others are tried only there."""

    kind: Literal["grid"] = "grid"

    def build(self, setting: Setting) -> BaseSampler:
        """`UserError` naming a range that holds no end of values."""
        for name, space in setting.spaces.items():
            for knob, values in space.items():
                whole = isinstance(values, Range) and isinstance(values.low, int) and isinstance(values.high, int)
                if isinstance(values, Range) and values.step is None and not whole:
                    raise UserError(
                        f"study.sampler=grid: search_spaces.{name}.{knob} is a range without a step; give it a list, "
                        f"or a step: '{values.low}..{values.high} step {(values.high - values.low) / 4:g}'"
                    )
        return BruteForceSampler(seed=setting.seed)
