"""Reads `key=value` items into a frozen model, for the commands that do without Hydra."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from autocompress.config.validation import user_error
from autocompress.errors import UserError, not_allowed

Keys = TypeVar("Keys", bound=BaseModel)


def read_keys(items: Sequence[str], model: type[Keys]) -> Keys:
    """Return `items` such as "output=F" as a `model`; raises UserError for an item, a key or a value that is wrong."""
    values: dict[str, str] = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals:
            raise not_allowed(f"{item}: write key=value", item, model.model_fields)
        if key in values:
            raise UserError(f"{key}: given twice")
        if not value:
            raise UserError(f"{key}: is empty")
        values[key] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise user_error(error, model, values) from error
