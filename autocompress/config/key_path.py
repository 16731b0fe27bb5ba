"""Where pydantic found a fault, in the words of the person who wrote the key."""

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

Owner = type[BaseModel] | None


def key_path(model: type[BaseModel], loc: Sequence[int | str], given: object) -> tuple[tuple[str, ...], Owner]:
    """Return the keys of a pydantic location without its union tags, and the model that owns the last key.

    ("data", "kuairand", "root") becomes ("data", "root"): a person writes `data.root`, the tag is pydantic's.
    `given` is what `model` was to be made of. Where the types do not say which model a value becomes, its `kind` does.
    The owner is None where the last key belongs to a list, to an open map, or to a model that cannot be known.
    """
    keys: list[str] = []
    owner: Owner = None
    members: tuple[Any, ...] = (model,)
    value = given
    for item in loc:
        tagged = [member for member in members if item in _tags(member)] if len(members) > 1 else []
        if tagged:
            members = tuple(tagged)
            continue
        written = isinstance(value, Mapping) and item in value
        if len(members) > 1 and not written and not str(item).isidentifier() and not isinstance(item, int):
            continue  # pydantic's word for one of several types, such as "constrained-int"
        reached = next((found for member in members if (found := _inside(member, item)) is not None), None)
        if reached is None:
            if item == "[key]" or len(members) > 1:
                continue
            configured = _model_by_kind(value)
            reached = _inside(configured, item) or (None, ())
        keys.append(str(item))
        owner, members = reached
        value = _value_inside(value, item)
    return tuple(keys), owner


def _inside(member: Any, item: int | str) -> tuple[Owner, tuple[Any, ...]] | None:
    """Return (owner, types of the value) behind key `item` of `member`, or None where it has no such key."""
    if _is_model(member):
        field = member.model_fields.get(str(item))
        return member, _members(field.annotation) if field is not None else ()
    origin, parameters = get_origin(member) or member, get_args(member)
    if origin in (dict, Mapping) and item != "[key]":
        return None, _members(parameters[1]) if parameters else ()
    if origin in (list, tuple, set, frozenset) and isinstance(item, int):
        fixed = [parameter for parameter in parameters if parameter is not Ellipsis]
        return None, _members(fixed[min(item, len(fixed) - 1)]) if fixed else ()
    return None


def _value_inside(value: object, item: int | str) -> object:
    if isinstance(value, Mapping):
        return value.get(item)
    if isinstance(value, list | tuple) and isinstance(item, int) and item < len(value):
        return value[item]
    return None


def _members(annotation: Any) -> tuple[Any, ...]:
    """Return the types a value may have, without Annotated, aliases and None."""
    annotation = getattr(annotation, "__value__", annotation)
    origin = get_origin(annotation)
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return tuple(member for part in get_args(annotation) for member in _members(part))
    return () if annotation in (None, type(None)) else (annotation,)


def _tags(member: Any) -> tuple[Any, ...]:
    """Return what pydantic may call `member` in a location: its class name, and its literal discriminators."""
    if not _is_model(member):
        return ()
    return (member.__name__, *(value for name in member.model_fields for value in _literals(member, name)))


def _literals(model: type[BaseModel], name: str) -> tuple[Any, ...]:
    field = model.model_fields.get(name)
    return get_args(field.annotation) if field is not None and get_origin(field.annotation) is Literal else ()


def _model_by_kind(value: object) -> Owner:
    """Return the model whose `kind` is that of `value`; of several, the one that knows most of its keys."""
    if not isinstance(value, Mapping):
        return None
    known = [model for model in _subclasses(BaseModel) if value.get("kind") in _literals(model, "kind")]
    return max(known, key=lambda model: len(model.model_fields.keys() & value.keys()), default=None)


def _subclasses(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in base.__subclasses__():
        yield model
        yield from _subclasses(model)


def _is_model(member: Any) -> bool:
    return isinstance(member, type) and issubclass(member, BaseModel)
