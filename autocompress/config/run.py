"""The root of the configuration."""

from autocompress.search.config import SearchConfig as RunConfig

__all__ = ["RunConfig"]
