"""The bundle: an immutable, content-addressed folder that needs nothing but ONNX Runtime and this package to score.

`model.onnx`, `encoder.parquet`, `schema.json`, `plan.json`, `records.json`, `lineage.json` and `MANIFEST.json`, which
holds sha256 and bytes of every other file; its own sha256 is the artefact's digest and the folder's name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError

from autocompress.data import encode
from autocompress.digest import file_digest
from autocompress.errors import UserError
from autocompress.schema import Schema
from autocompress.storage import new_folder

MODEL, MANIFEST = "model.onnx", "MANIFEST.json"


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk, its manifest read."""

    folder: Path
    digest: str
    sizes: Mapping[str, int]

    @property
    def model(self) -> Path:
        """The ONNX file."""
        return self.folder / MODEL

    @property
    def model_bytes(self) -> int:
        """Bytes of the ONNX file and its external data, as they lie on disk."""
        return sum(path.stat().st_size for path in self.folder.glob(f"{MODEL}*"))

    @property
    def bundle_bytes(self) -> int:
        """Bytes of every file of the folder, the manifest counted."""
        return sum(path.stat().st_size for path in self.folder.iterdir())

    @property
    def sha256(self) -> str:
        """Of the ONNX file."""
        return str(json.loads((self.folder / MANIFEST).read_text())["files"][MODEL]["sha256"])

    def encoder(self) -> encode.Encoder:
        """What gives the model its own ids: of the inputs that it reads."""
        return encode.load(self.schema(), self.folder)

    def schema(self) -> Schema:
        """Fields in input order, tasks in output order."""
        return Schema.model_validate_json((self.folder / "schema.json").read_text())


def write_bundle(
    parent: Path,
    write_model: Callable[[Path], None],
    encoder: encode.Encoder,
    *,
    plan: Mapping[str, Any] | None,
    records: list[Any],
    lineage: Mapping[str, Any],
) -> Bundle:
    """Makes `parent`/<digest>, or finds that it is there already. `write_model(path)` writes the ONNX file.

    `plan` is None for files that no plan describes (a landmark of another tool's making).
    """
    parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".bundle.", dir=parent) as name:
        draft = Path(name)
        write_model(draft / MODEL)
        encode.save(encoder, draft)
        (draft / "schema.json").write_text(encoder.schema.model_dump_json(indent=1) + "\n")
        for file, value in (("plan.json", plan), ("records.json", records), ("lineage.json", lineage)):
            (draft / file).write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")
        files = {
            path.name: {"bytes": path.stat().st_size, "sha256": file_digest(path)} for path in sorted(draft.iterdir())
        }
        (draft / MANIFEST).write_text(json.dumps({"version": 1, "files": files}, indent=1, sort_keys=True) + "\n")
        folder = parent / file_digest(draft / MANIFEST)
        if not folder.is_dir():
            with new_folder(folder) as temporary:
                for path in draft.iterdir():
                    path.rename(temporary / path.name)
    return open_bundle(folder)


def open_bundle(folder: Path) -> Bundle:
    """Reads and checks a bundle: every file of the manifest is there with its bytes. `UserError` says which is not."""
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError(f"artefact: {folder} is no bundle: it has no {MANIFEST}")
    try:
        files = json.loads(path.read_text())["files"]
        sizes = {name: int(facts["bytes"]) for name, facts in files.items() if facts["sha256"]}
        Schema.model_validate_json((folder / "schema.json").read_text())
    except (ValueError, KeyError, TypeError, AttributeError, OSError, ValidationError) as error:
        raise UserError(f"artefact: {folder} cannot be read: {str(error).splitlines()[0]}") from error
    if absent := sorted({MODEL, encode.FILE, "schema.json"} - set(sizes)):
        raise UserError(f"artefact: {folder} is no bundle: its {MANIFEST} does not list {absent[0]}")
    for name, size in sizes.items():
        if Path(name).name != name or not (folder / name).is_file() or (folder / name).stat().st_size != size:
            raise UserError(f"artefact: {folder / name} is missing or does not have its {size} bytes")
    return Bundle(folder, file_digest(path), sizes)


def verify(bundle: Bundle) -> None:
    """`UserError` naming the first file whose sha256 is not the manifest's."""
    files = json.loads((bundle.folder / MANIFEST).read_text())["files"]
    for name, facts in files.items():
        if file_digest(bundle.folder / name) != facts["sha256"]:
            raise UserError(f"artefact: {bundle.folder / name} was altered: its sha256 is not the manifest's")
