"""No number stands in the README that a stored result does not hold."""

import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_s_results_are_those_that_are_stored() -> None:
    results = load(ROOT / "experiments" / "readme_results.py")
    assert results.section().strip() in (ROOT / "README.md").read_text()
