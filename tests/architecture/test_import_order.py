"""The walls of the architecture: a package imports only what stands after it in ORDER, anywhere in its files.

The imports are read from the syntax tree, so that one inside a function counts like one at the top; so does a string
that names one of our modules, for it can be imported by that name.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "autocompress"
ORDER = (
    "cli",
    "config",
    "search",
    "report",
    "tracking",
    "training",
    "measure",
    "artefact",
    "compress",
    "models",
    "data",
    "family",
    "schema",
    "storage",
    "digest",
    "errors",
)
OUTSIDE_THE_ORDER = {"__init__.py", "__main__.py"}
FILES = sorted(file for file in PACKAGE.rglob("*.py") if file.relative_to(PACKAGE).as_posix() not in OUTSIDE_THE_ORDER)


def station(file: Path) -> str:
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_stations(tree: ast.AST, file: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, station) for every import of ours, at any depth and in any form."""
    inside = ("autocompress", *file.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(inside[: len(inside) - node.level + 1]) if node.level else []
            base += node.module.split(".") if node.module else []
            names = [[*base, alias.name] for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [re.split(r"\W", node.value, maxsplit=2)] if node.value.startswith("autocompress.") else []
        else:
            continue
        for name in names:
            if name[0] == "autocompress" and len(name) > 1 and name[1] in ORDER:
                yield getattr(node, "lineno", 0), name[1]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_a_file_imports_only_what_stands_after_its_package(file: Path) -> None:
    own = station(file)
    allowed = ORDER[ORDER.index(own) :]
    found = imported_stations(ast.parse(file.read_text()), file)
    assert [f"line {line}: {own} imports {name}" for line, name in found if name not in allowed] == []


def test_every_file_belongs_to_a_package_of_the_order() -> None:
    assert {station(file) for file in FILES} <= set(ORDER)


@pytest.mark.parametrize(
    "statement",
    [
        "import autocompress.search.run",
        "from autocompress.search.run import search",
        "from autocompress import search",
        "from ..search import run",
        "def late():\n    from autocompress.search import run",
        "import_module('autocompress.search')",
        "import_module(f'autocompress.search.{name}')",
    ],
)
def test_every_form_of_import_is_seen(statement: str) -> None:
    found = imported_stations(ast.parse(statement), PACKAGE / "data" / "rows.py")
    assert [name for _, name in found] == ["search"]


def test_only_a_family_and_a_users_module_are_imported_by_a_name_that_is_given() -> None:
    """Elsewhere a name in a string shows where it leads; `family` gets its packages from files that are checked."""
    calls = {
        (file.relative_to(PACKAGE).as_posix(), ast.unparse(node.args[0]))
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module")
    }
    legible = re.compile(r"f?['\"](autocompress\.|\{__name__\}|\{__package__\})")
    assert {name for name, first in calls if not legible.match(first)} <= {"family.py", "models/module.py"}


def test_a_users_module_is_imported_by_the_teacher_that_names_it_and_by_nothing_else() -> None:
    """A plan or a bundle that is read must not be able to call what somebody wrote into it (ADR 8)."""
    users = {
        file.relative_to(PACKAGE).as_posix()
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("own_module")
    }
    assert users == {"training/teachers/module.py"}
    bundle = (PACKAGE / "models" / "module.py").read_text().partition("class OwnModule")[0]
    assert "import_module" not in bundle, "the shape that plans hold imports nothing"
