"""The three ways to have autocompress: a wheel, an editable install, a checkout; each works from an empty folder."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
YAMLS = sorted(
    file.relative_to(CHECKOUT) for name in ("conf", "search_spaces") for file in CHECKOUT.glob(f"{name}/**/*.yaml")
)

pytestmark = pytest.mark.installed


def run(*command: str | Path, folder: Path, **environment: str) -> str:
    """Return what a command prints; PYTHONPATH and the rest come from `environment` alone."""
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env=clean | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def check(python: str | Path, folder: Path, **environment: str) -> None:
    """Compose and ask for help from `folder`."""
    composed = run(python, "-m", "autocompress", "--cfg", "job", folder=folder, **environment)
    assert "kind: ads_simulator" in composed
    assert "  rows:" in composed
    assert "kuairand" in run(python, "-m", "autocompress", "--help", folder=folder, **environment)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, CHECKOUT, folder=CHECKOUT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_the_wheel_carries_every_yaml_inside_the_package_and_nothing_beside_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {f"autocompress/{file.as_posix()}" for file in YAMLS} - set(names) == set()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"autocompress"}


def test_an_installed_wheel_works_from_an_empty_folder(wheel: Path, tmp_path: Path, empty: Path) -> None:
    site = tmp_path / "site"
    pip(sys.executable, "--target", site, wheel, folder=empty)
    check(sys.executable, empty, PYTHONPATH=str(site))
    assert list(empty.iterdir()) == []


def test_an_editable_install_works_from_an_empty_folder(tmp_path: Path, empty: Path) -> None:
    venv.create(tmp_path / "venv", system_site_packages=True)
    python = tmp_path / "venv" / "bin" / "python"
    # A venv made inside a venv sees the base Python's packages only: a .pth file lets it see this one's.
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "parent.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")) + "\n")
    pip(python, "--no-build-isolation", "--editable", CHECKOUT, folder=empty)
    check(python, empty)
    script = tmp_path / "venv" / "bin" / "autocompress"
    assert run(script, "--version", folder=empty) == run(python, "-m", "autocompress", "--version", folder=empty)


def test_a_checkout_works_from_its_top_and_from_an_empty_folder(empty: Path) -> None:
    check(sys.executable, CHECKOUT)
    check(sys.executable, empty, PYTHONPATH=str(CHECKOUT))
    assert list(empty.iterdir()) == []


def pip(python: str | Path, *words: str | Path, folder: Path) -> None:
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", *words, folder=folder)
