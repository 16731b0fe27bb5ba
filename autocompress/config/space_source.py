"""Serves a folder of search spaces to Hydra as the config group `search_spaces`."""

from pathlib import Path

from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from omegaconf import OmegaConf

GROUP = "search_spaces"


class SearchSpaceSource(ConfigSource):
    """Hydra plugin: `search-spaces://DIR` offers DIR/x.yaml as option `x` of the group `search_spaces`.

    Each file lands at the package `search_spaces.<stem>` by itself, with no `# @package` line, so that
    `search_spaces=[channels,rows]` puts the two side by side instead of merging them.
    """

    @staticmethod
    def scheme() -> str:
        """Return the scheme under which a search path names such a folder."""
        return "search-spaces"

    def available(self) -> bool:
        """Return whether the folder exists."""
        return Path(self.path).is_dir()

    def is_group(self, config_path: str) -> bool:
        """Return whether `config_path` is the root or the group itself; the folder is flat."""
        return config_path in ("", GROUP)

    def is_config(self, config_path: str) -> bool:
        """Return whether `config_path`, such as "search_spaces/rows", is a file of the folder."""
        return self._file(config_path) is not None

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Return the group under the root, and the sorted option names under the group."""
        if config_path == "":
            return [GROUP] if results_filter in (None, ObjectType.GROUP) else []
        if config_path != GROUP or results_filter is ObjectType.GROUP:
            return []
        return sorted(file.stem for file in Path(self.path).glob("*.yaml"))

    def load_config(self, config_path: str) -> ConfigResult:
        """Return the file's content with its package set; raises ConfigLoadError where there is no such file."""
        file = self._file(config_path)
        if file is None:
            raise ConfigLoadError(f"Config not found: {config_path}")
        config = OmegaConf.load(file)
        # a file with a defaults list is made of other spaces, and narrows them by their names
        package = GROUP if "defaults" in config else f"{GROUP}.{file.stem}"
        return ConfigResult(
            provider=self.provider,
            path=f"{self.scheme()}://{self.path}",
            config=config,
            header={"package": package},
        )

    def _file(self, config_path: str) -> Path | None:
        group, _, name = config_path.partition("/")
        file = Path(self.path) / f"{name.removesuffix('.yaml')}.yaml"
        return file if group == GROUP and name and "/" not in name and file.is_file() else None
