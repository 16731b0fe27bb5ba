"""Tells Hydra where to look: the user's `./conf` and `./search_spaces` first, then the packaged ones.

The current folder itself is never searched: an unrelated `./data/x.yaml` must not join a run.
"""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from autocompress.config.folders import packaged, users
from autocompress.config.space_source import SearchSpaceSource


class AutocompressSearchPath(SearchPathPlugin):
    """Hydra plugin: puts our folders around the packaged `conf/`, which `hydra.main` names as "main"."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Change `search_path` in place; another Hydra program in the same Python is left as it is."""
        main = [element.path for element in search_path.get_path() if element.provider == "main"]
        if main != [str(packaged("conf"))]:
            return
        users_conf, users_spaces = users("conf"), users("search_spaces")
        if users_conf is not None:
            search_path.prepend("user", f"file://{users_conf}", anchor="main")
        if users_spaces is not None:
            search_path.append("user", f"{SearchSpaceSource.scheme()}://{users_spaces}")
        search_path.append("autocompress", f"{SearchSpaceSource.scheme()}://{packaged('search_spaces')}")


def register() -> None:
    """Register both plugins with Hydra for this Python; a second call changes nothing."""
    plugins = Plugins.instance()
    plugins.register(SearchSpaceSource)
    plugins.register(AutocompressSearchPath)
