"""Turns a pydantic ValidationError into a `UserError` that names the key as a person would type it."""

import re

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from autocompress.config.key_path import key_path
from autocompress.errors import UserError, nearest, not_allowed


def user_error(error: ValidationError, model: type[BaseModel], given: object) -> UserError:
    """Return one line for the first fault of `error`, a misspelt key before what it left missing.

    `model` is the class that was being validated, `given` what it was to be made of.
    """
    first, *rest = sorted(error.errors(include_url=False), key=lambda fault: fault["type"] != "extra_forbidden")
    line = str(_describe(first, model, given))
    return UserError(f"{line} (and {len(rest)} more)" if rest else line)


def _describe(fault: ErrorDetails, model: type[BaseModel], whole: object) -> UserError:
    keys, owner = key_path(model, fault["loc"], whole)
    key, context, given = ".".join(keys), fault.get("ctx", {}), fault["input"]
    match fault["type"]:
        case "extra_forbidden":
            if owner is None:
                return UserError(f"{key}: unknown key")
            return not_allowed(f"{key}: unknown key", keys[-1], owner.model_fields)
        case "missing":
            return UserError(f"{key}: is required")
        case "literal_error" | "enum":
            return UserError(f"{key}={_shown(given)}: allowed: {_quoted(context['expected'], str(given))}")
        case "union_tag_invalid":
            tag = str(context["tag"])
            discriminator = ".".join((*keys, context["discriminator"].strip("'")))
            return UserError(f"{discriminator}={tag}: allowed: {_quoted(context['expected_tags'], tag)}")
        case "union_tag_not_found":
            return UserError(f"{'.'.join((*keys, context['discriminator'].strip(chr(39))))}: is required")
        case "value_error" | "assertion_error":
            reason = fault["msg"].split(", ", 1)[-1]
            return UserError(f"{key}: {reason}" if key else reason)
        case _:
            return UserError(f"{key}={_shown(given)}: {fault['msg'][:1].lower()}{fault['msg'][1:]}")


def _quoted(expected: str, given: str) -> str:
    words = re.findall(r"'([^']*)'", expected) or [expected]
    return f"{', '.join(words)}{nearest(given, words)}"


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else "null" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
