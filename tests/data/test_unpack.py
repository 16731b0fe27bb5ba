"""Archives, well made and hostile."""

from __future__ import annotations

import gzip
import io
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from autocompress.data.unpack import unpack
from autocompress.errors import UserError

FILES = {"train.csv": b"a,b\n1,2\n", "inner/test.csv": b"a,b\n3,4\n"}


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore", UserWarning)  # a name that stands twice
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, *members: tarfile.TarInfo, content: bytes = b"x") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            if member.isreg():
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def refused(archive: Path, folder: Path, **limits: int) -> str:
    with pytest.raises(UserError) as error:
        unpack(archive, folder, **limits)
    assert str(archive) in str(error.value)
    assert "\n" not in str(error.value)
    assert not folder.exists()
    assert sorted(folder.parent.iterdir()) == [archive]
    return str(error.value)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_zip_is_unpacked(tmp_path: Path) -> None:
    folder = unpack(zipped(tmp_path / "set.zip", FILES), tmp_path / "out")
    assert contents(folder) == FILES


@pytest.mark.parametrize("name", ["set.tar.gz", "set.tgz", "SET.TAR.GZ"])
def test_a_tar_is_unpacked(tmp_path: Path, name: str) -> None:
    archive = tarred(tmp_path / name, member("./a", tarfile.DIRTYPE), member("./a/b.csv"), member("c"), content=b"12")
    assert contents(unpack(archive, tmp_path / "out")) == {"a/b.csv": b"12", "c": b"12"}


def test_a_gz_file_loses_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "train.txt.gz").write_bytes(gzip.compress(b"1\t2\n"))
    assert contents(unpack(tmp_path / "train.txt.gz", tmp_path / "out")) == {"train.txt": b"1\t2\n"}


def test_a_folder_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert unpack(tmp_path / "absent.zip", tmp_path / "out") == tmp_path / "out"


@pytest.mark.parametrize("name", ["/abs.csv", "../up.csv", "a/../../up.csv", "a\\..\\up.csv", "C:/up.csv"])
def test_a_member_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    archive = zipped(tmp_path / "set.zip", {"good.csv": b"", name: b""})
    assert f"member {name!r} leads out" in refused(archive, tmp_path / "out")
    archive.unlink()
    archive = tarred(tmp_path / "set.tar.gz", member("good.csv"), member(name))
    assert f"member {name!r} leads out" in refused(archive, tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_link_or_a_device_in_a_tar_is_refused(tmp_path: Path, kind: bytes) -> None:
    archive = tarred(tmp_path / "set.tar.gz", member("good"), member("evil", kind, "/etc/passwd"))
    assert "member 'evil' is a link or a device" in refused(archive, tmp_path / "out")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("evil")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "member 'evil' is a link" in refused(tmp_path / "set.zip", tmp_path / "out")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "set.zip", {"secret.csv": b"x"})
    content = bytearray(archive.read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(header) + flags] |= 1
    archive.write_bytes(content)
    assert "member 'secret.csv' is encrypted" in refused(archive, tmp_path / "out")


def test_a_member_that_stands_twice_is_refused(tmp_path: Path) -> None:
    assert "stands twice" in refused(tarred(tmp_path / "set.tgz", member("a"), member("./a")), tmp_path / "out")


ZEROS = bytes(3_000_000)


def zip_bomb(path: Path) -> Path:
    return zipped(path / "set.zip", {"small": b"1", "bomb": ZEROS})


def lying_zip_bomb(path: Path) -> Path:
    archive = zip_bomb(path)
    size = len(ZEROS).to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(size, (10).to_bytes(4, "little")))
    return archive


def tar_bomb(path: Path) -> Path:
    return tarred(path / "set.tar.gz", member("bomb"), content=ZEROS)


def tar_header_bomb(path: Path) -> Path:
    info = member("bomb")
    info.pax_headers = {"comment": "0" * len(ZEROS)}
    with tarfile.open(path / "set.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    return path / "set.tar.gz"


def gz_bomb(path: Path) -> Path:
    (path / "set.gz").write_bytes(gzip.compress(ZEROS))
    return path / "set.gz"


@pytest.mark.parametrize("make", [zip_bomb, tar_bomb, tar_header_bomb, gz_bomb])
def test_more_bytes_than_the_limit_are_refused(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    assert "bomb" in refused(make(tmp_path), tmp_path / "out", limit=2_000_000)


def test_a_zip_that_declares_too_little_is_refused(tmp_path: Path) -> None:
    refused(lying_zip_bomb(tmp_path), tmp_path / "out", limit=2_000_000)


def test_bytes_out_of_all_proportion_to_the_archive_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autocompress.data.unpack.GRACE", 1_000_000)
    assert "bomb" in refused(gz_bomb(tmp_path), tmp_path / "out")
    assert contents(unpack(tmp_path / "set.gz", tmp_path / "out", ratio=2_000)) == {"set": ZEROS}


@pytest.mark.parametrize("name", ["set.zip", "set.tar.gz", "set.gz"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.98])
def test_a_cut_archive_is_refused(tmp_path: Path, name: str, share: float) -> None:
    archive = tmp_path / name
    noise = bytes(range(256)) * 64
    if name == "set.zip":
        zipped(archive, {"a": noise})
    elif name == "set.gz":
        archive.write_bytes(gzip.compress(noise))
    else:
        tarred(archive, member("a"), content=noise)
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(len(whole) * share)] or b"not an archive")
    assert "damaged" in refused(archive, tmp_path / "out")


def test_a_wrong_checksum_inside_a_zip_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as opened:
        opened.writestr("a", b"content")
    archive.write_bytes(archive.read_bytes().replace(b"content", b"CONTENT"))
    assert "damaged" in refused(archive, tmp_path / "out")


def test_another_kind_of_archive_is_refused_with_those_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "set.rar").write_bytes(b"Rar!")
    assert "allowed: .gz, .tar.gz, .tgz, .zip" in refused(tmp_path / "set.rar", tmp_path / "out")
