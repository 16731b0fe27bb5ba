"""What every task head offers, and how a configured one is recognised."""

from __future__ import annotations

from typing import Annotated, Any, Protocol, cast

from pydantic import PlainSerializer, PlainValidator
from torch import nn

from autocompress import family
from autocompress.schema import Task

PACKAGE = "autocompress.models.heads"


class HeadPart(Protocol):
    """What the module of a head with layers of its own offers beside `forward`."""

    def inherit(self, old: nn.Module, columns: list[int]) -> None:
        """Copies an equal module's weights, of its first layers those of these feature columns."""


class Head(Protocol):
    """A frozen pydantic model with a `kind`."""

    @property
    def kind(self) -> str:
        """Name of the head."""

    def module(self, width: int, tasks: tuple[Task, ...]) -> nn.Module:
        """float32 (n, width) features in, logits (n, tasks) out.

        Either one `nn.Linear` or a `HeadPart`. Layers whose outputs are logits are called `logit`.
        """

    def model_dump(self, *, mode: str = "python") -> dict[str, Any]:
        """The head as plain data."""


AnyHead = Annotated[
    Head,
    PlainValidator(lambda value: cast(Head, family.parse(PACKAGE, value))),
    PlainSerializer(lambda head: head.model_dump(mode="json"), return_type=dict),
]


def gives_logits(name: str) -> bool:
    """Whether a layer of a dense part (by its name there) gives the logits: a linear head, or a `logit` of one."""
    return name == "head" or name.rpartition(".")[2] == "logit"


def inherit_linear(old: nn.Module, new: nn.Module, columns: list[int]) -> None:
    """Copies a linear layer's weights of some input columns."""
    assert isinstance(old, nn.Linear)
    assert isinstance(new, nn.Linear)
    new.weight.copy_(old.weight[:, columns])
    new.bias.copy_(old.bias)


def inherit_rest(old: nn.Module, new: nn.Module, done: tuple[str, ...]) -> None:
    """Copies every tensor but those whose names begin with one of `done`."""
    tensors = old.state_dict()
    for name, value in new.state_dict().items():
        if not name.startswith(done):
            value.copy_(tensors[name])
