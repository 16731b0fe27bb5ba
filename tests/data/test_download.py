"""Downloads from a real server on this machine, which serves well, cuts, lies, forgets ranges or is gone."""

from __future__ import annotations

import fcntl
import hashlib
import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import ValidationError

from autocompress.data import download
from autocompress.data.download import Remote
from autocompress.errors import UserError

CONTENT = bytes(range(256)) * 4096
SHA256, MD5 = hashlib.sha256(CONTENT).hexdigest(), hashlib.md5(CONTENT).hexdigest()
fetch = partial(download.fetch, wait=0.01, timeout=2.0)


class Server(ThreadingHTTPServer):
    """What it serves and how badly; `asked` lists path, Range and If-Range of every request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.content = CONTENT
        self.etag: str | None = '"one"'
        self.ranges = True
        self.cut_after: list[int] = []
        self.states: list[int] = []
        self.asked: list[tuple[str, str | None, str | None]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        asked, condition = self.headers["Range"], self.headers["If-Range"]
        server.asked.append((self.path, asked, condition))
        if self.path.startswith("/moved/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/moved/").replace("ftp/", "ftp://127.0.0.1/"))
            self.end_headers()
            return
        state = server.states.pop(0) if server.states else 200
        start = int(asked[6:-1]) if asked and server.ranges and condition in (None, server.etag) else 0
        if state == 200 and start >= len(server.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(server.content)}")
            self.end_headers()
            return
        self.send_response(206 if state == 200 and start else state)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        if server.etag:
            self.send_header("ETag", server.etag)
        body = server.content[start:] if state == 200 else b""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.cut_after.pop(0)] if server.cut_after else body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("digest", [None, SHA256, MD5])
def test_a_file_arrives_whole_under_its_name(server: Server, tmp_path: Path, digest: str | None) -> None:
    path = fetch(Remote(url=f"{server.address}/a/set.zip?download=1", digest=digest), tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "set.zip"
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["set.zip"]


def test_a_file_that_lies_there_is_not_asked_for(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(b"by hand")
    assert fetch(Remote(url=f"{server.address}/set.zip"), tmp_path).read_bytes() == b"by hand"
    assert server.asked == []


def test_a_cut_connection_is_taken_up_where_it_was_cut(server: Server, tmp_path: Path) -> None:
    server.cut_after = [300_000, 200_000]
    assert fetch(Remote(url=f"{server.address}/set.zip"), tmp_path).read_bytes() == CONTENT
    ranges = [asked for _, asked, _ in server.asked]
    assert ranges == [None, "bytes=300000-", "bytes=500000-"]


def test_cuts_that_each_bring_something_do_not_use_up_the_tries(server: Server, tmp_path: Path) -> None:
    server.cut_after = [100_000] * 8
    assert fetch(Remote(url=f"{server.address}/set.zip"), tmp_path, tries=2).read_bytes() == CONTENT


def test_the_part_of_an_earlier_run_is_continued(server: Server, tmp_path: Path) -> None:
    server.cut_after, server.states = [300_000], [200, 404]
    with pytest.raises(UserError, match="404"):
        fetch(Remote(url=f"{server.address}/set.zip"), tmp_path)
    assert names(tmp_path) == ["set.zip.part", "set.zip.part.tag"]
    assert fetch(Remote(url=f"{server.address}/set.zip"), tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] == ("/set.zip", "bytes=300000-", '"one"')
    assert names(tmp_path) == ["set.zip"]


def test_a_part_of_another_version_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(b"old" * 1000)
    (tmp_path / "set.zip.part.tag").write_text('"zero"')
    assert fetch(Remote(url=f"{server.address}/set.zip"), tmp_path).read_bytes() == CONTENT


def test_a_part_is_not_continued_where_nothing_says_of_what_it_is_a_part(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(b"old" * 1000)
    assert fetch(Remote(url=f"{server.address}/set.zip"), tmp_path).read_bytes() == CONTENT
    assert server.asked == [("/set.zip", None, None)]


def test_a_part_that_is_complete_needs_no_byte_more(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT)
    assert fetch(Remote(url=f"{server.address}/set.zip", digest=MD5), tmp_path).read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_server_that_ignores_ranges_sends_the_file_anew(server: Server, tmp_path: Path) -> None:
    server.ranges, server.cut_after = False, [300_000]
    assert fetch(Remote(url=f"{server.address}/set.zip"), tmp_path).read_bytes() == CONTENT


def test_a_server_that_is_busy_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.states = [503, 429]
    assert fetch(Remote(url=f"{server.address}/set.zip"), tmp_path).read_bytes() == CONTENT


def test_a_file_that_is_not_there_is_asked_for_once(server: Server, tmp_path: Path) -> None:
    server.states = [404]
    with pytest.raises(UserError, match=r"HTTP 404"):
        fetch(Remote(url=f"{server.address}/set.zip"), tmp_path)
    assert len(server.asked) == 1


@pytest.mark.parametrize("digest", ["0" * 64, "0" * 32])
def test_wrong_bytes_are_refused_and_removed(server: Server, tmp_path: Path, digest: str) -> None:
    with pytest.raises(UserError) as refused:
        fetch(Remote(url=f"{server.address}/set.zip", digest=digest), tmp_path, key="data.root")
    found = SHA256 if len(digest) == 64 else MD5
    for word in ("data.root", f"{server.address}/set.zip", digest, found):
        assert word in str(refused.value)
    assert names(tmp_path) == []


def test_a_wrong_length_is_refused(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"bytes {len(CONTENT)}, wanted 7"):
        fetch(Remote(url=f"{server.address}/set.zip", size=7), tmp_path)
    assert names(tmp_path) == []


def test_no_server_gives_one_line_with_the_address_and_the_folder(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/set.zip"
        with pytest.raises(UserError) as refused:
            fetch(Remote(url=url), tmp_path, key="data.root", tries=2)
    assert str(refused.value).startswith(f"data.root: {url} cannot be reached")
    assert str(refused.value).endswith(f"download it by hand into {tmp_path}")
    assert "\n" not in str(refused.value)


def test_a_redirection_is_followed_within_the_web_only(server: Server, tmp_path: Path) -> None:
    assert fetch(Remote(url=f"{server.address}/moved//other/set.zip"), tmp_path).read_bytes() == CONTENT
    with pytest.raises(UserError, match="ftp"):
        fetch(Remote(url=f"{server.address}/moved/ftp/else.zip"), tmp_path, tries=1)


def test_a_proxy_of_the_environment_is_used(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.address)
    fetch(Remote(url="http://host.invalid/set.zip"), tmp_path)
    assert server.asked == [("http://host.invalid/set.zip", None, None)]


def test_two_downloads_of_one_file_at_once_do_not_mix(server: Server, tmp_path: Path) -> None:
    with (tmp_path / "set.zip.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process"):
            fetch(Remote(url=f"{server.address}/set.zip"), tmp_path)
    assert fetch(Remote(url=f"{server.address}/set.zip"), tmp_path).read_bytes() == CONTENT


def test_a_folder_that_is_a_file_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=f"{tmp_path}/file cannot take set.zip"):
        fetch(Remote(url=f"{server.address}/set.zip"), tmp_path / "file")


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a.b/c", "set.zip", "http:///set.zip", "https://a.b/", "https://a.b/c/..%2Fd"]
)
def test_an_address_that_names_no_file_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        Remote(url=url)


def test_progress_is_not_written_into_a_log(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetch(Remote(url=f"{server.address}/set.zip"), tmp_path)
    assert capsys.readouterr().err == ""


def test_progress_is_shown_on_a_terminal(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    fetch(Remote(url=f"{server.address}/set.zip"), tmp_path)
    assert "set.zip: 1.0 of 1.0 MB (100%)\n" in capsys.readouterr().err
