"""Turns what Hydra, OmegaConf and the YAML reader raise while composing into a `UserError`."""

import re
from collections.abc import Iterable, Sequence

import yaml
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from autocompress.config.folders import groups, options
from autocompress.errors import UserError, nearest, not_allowed

# What composing raises for bad input; anything else is a fault of ours and keeps its traceback.
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, OSError)


def translate(error: Exception, overrides: Sequence[str] = ()) -> UserError:
    """Return the one-line error for anything in COMPOSITION_ERRORS; `overrides` are those that were being composed."""
    if isinstance(error, OverrideParseException):
        return _unreadable_override(error.override, error.message)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _missing_file(error.missing_cfg_file)
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and isinstance(cause.parent_node, DictConfig):
        return _unknown_key(str(cause.full_key or cause.key), str(cause.key), cause.parent_node)
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return UserError(f"{mark.name}: line {mark.line + 1}: {error.problem}")
    return _known_message(_one_line(str(error) or str(cause)), overrides)


def _known_message(message: str, overrides: Sequence[str]) -> UserError:
    """Put the key into those of Hydra's messages that lack it, and shorten its advice."""
    if message.startswith("Config group override must be"):
        for key, _, value in (override.partition("=") for override in overrides):
            if key in groups() and value not in options(key):
                return not_allowed(f"{key}={value}: no such option", value, options(key))
    if absent := re.match(r"Could not delete.* '([^']+)' does not exist", message):
        key = absent[1]
        known = groups() if "." not in key else ()
        return UserError(f"~{key}: no such key, or its value is null already{nearest(key, known)}")
    if present := re.match(r"Could not append.* already at '([^']+)'", message):
        return UserError(f"+{present[1]}: the key exists already; write it without the +")
    if ambiguous := re.match(r"Ambiguous value for argument '([^=]+)=([^']*)'", message):
        key, value = ambiguous.groups()
        return UserError(f"{key}={value}: for a list write {key}=[{value}], for one search each add -m")
    return UserError(message)


def _missing_file(path: str) -> UserError:
    group, _, name = path.removesuffix(".yaml").rpartition("/")
    if not group:
        return UserError(f"{name}: no such config file in conf/ (--config-name)")
    return not_allowed(f"{group}={name}: no such option", name, options(group))


def _unknown_key(full_key: str, key: str, parent: DictConfig) -> UserError:
    keys = {str(name) for name in parent if name != "hydra"}
    if full_key == f"search_spaces.{key}" and key in options("search_spaces") and key not in keys:
        return UserError(f"{full_key}: no space of this search, or a set of them; there are {', '.join(sorted(keys))}")
    known: Iterable[str] = keys if "." in full_key else keys | set(groups())
    return not_allowed(f"{full_key}: unknown key (+{full_key}=... adds to an open map)", key, known)


def _unreadable_override(override: str, message: str) -> UserError:
    if "=" not in override and not override.startswith("~"):
        return UserError(f"{override}: not an override; write key=value (a subcommand comes first)")
    return UserError(f"{override}: not a readable override: {_one_line(message)}")


def _one_line(message: str) -> str:
    lines: list[str] = []
    for line in message.splitlines():
        if line.startswith(("Config search path", "Search path", "See https", "    full_key", "    object_type")):
            break
        if line.strip():
            lines.append(line.strip())
    return "; ".join(lines).replace(":; ", ": ").replace(".; ", "; ")
