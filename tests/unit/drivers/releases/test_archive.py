"""Archives: every kind, compared before it is opened, and kept when it is gone."""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gapless.config.releases import ReleaseConfig
from gapless.drivers.releases.archive import ArchiveRelease
from gapless.errors import Refused, ReleaseGone, UsageError
from gapless.hostside.files import digest_of
from tests.unit.drivers.releases.rig import workshop
from tests.unit.drivers.releases.sources import pack


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def release(archive: Path | str, beside: Path, **settings: Any) -> ArchiveRelease:
    given = {"archive": str(archive), "to": "/srv/api", **settings}
    return ArchiveRelease(ReleaseConfig.model_validate(given), "shop.api", workshop(beside))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "app").write_text("1")
    (tree / "bin/run").write_text("#!/bin/sh\n")
    (tree / "bin/run").chmod(0o755)
    (tree / "start").symlink_to("bin/run")
    return tree


@pytest.mark.parametrize("kind", [".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.zst", ".zip"])
def test_every_kind_holds_the_same_release(tree: Path, kind: str) -> None:
    if kind == ".tar.zst" and shutil.which("zstd") is None:
        if os.environ.get("GAPLESS_LAB") == "required":
            pytest.fail("zstd is missing")
        pytest.skip("needs zstd")
    file = pack(tree, tree.parent / f"shop 1.4{kind}")
    ref = release(file, tree).resolve()
    assert ref.digest == digest_of(str(tree))
    assert ref.name == f"shop-1.4-{ref.digest[:8]}"
    assert ref.notes == (f"archive {file}",)


def test_the_one_folder_of_an_archive_is_left_out(tree: Path) -> None:
    file = tree.parent / "shop.tar.gz"
    subprocess.run(["tar", "-C", tree.parent, "-czf", file, "tree"], check=True)
    assert release(file, tree).resolve().digest == digest_of(str(tree))


def test_another_content_than_was_said_is_refused_before_it_is_opened(tree: Path) -> None:
    file = pack(tree, tree.parent / "shop.tar")
    assert release(file, tree, sha256=sha256(file)).resolve()
    with pytest.raises(Refused, match="not what sha256 says") as caught:
        release(file, tree, sha256="0" * 64).resolve()
    assert sha256(file) in caught.value.evidence


@pytest.mark.parametrize("content", [b"", b"not an archive at all", b"\x1f\x8b torn"])
def test_what_is_no_archive_is_refused(tree: Path, content: bytes) -> None:
    for kind in (".tar.gz", ".tar.xz", ".zip", ".tar.zst"):
        file = tree.parent / f"torn{kind}"
        file.write_bytes(content)
        with pytest.raises(Refused) as caught:
            release(file, tree).resolve()
        assert caught.value.next
    with pytest.raises(UsageError, match="no archive by its name"):
        release(tree / "app", tree).resolve()
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        release(tree / "gone.tar", tree).resolve()


def test_what_was_brought_is_had_again_when_the_file_is_another(tree: Path) -> None:
    file = pack(tree, tree.parent / "shop.tar")
    first = release(file, tree).resolve()
    (tree / "app").write_text("2")
    pack(tree, file)
    assert release(file, tree).resolve().name != first.name
    assert release(file, tree).resolve(first.name) == first
    file.unlink()
    assert release(file, tree).resolve(first.name) == first
    with pytest.raises(ReleaseGone, match="shop-00000000") as caught:
        release(file, tree).resolve("shop-00000000")
    assert str(file) in caught.value.evidence


@contextmanager
def https(folder: Path, tls: Path) -> Iterator[str]:
    """A server with a certificate of its own, for 127.0.0.1."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", tls / "key", "-out", tls / "cert", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/away"):
                self.send_response(302)
                self.send_header("Location", f"http://127.0.0.1:{server.server_port}/shop.tar")
                self.end_headers()
                return
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / "cert", tls / "key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_one_from_an_address(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = pack(tree, tree.parent / "shop.tar")
    right = sha256(file)
    tls = tree.parent / "tls"
    tls.mkdir()
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with https(tree.parent, tls) as address:
        with pytest.raises(Refused, match="cannot be fetched") as caught:
            release(f"{address}/shop.tar", tree, sha256=right).resolve()
        assert "certificate" in caught.value.evidence.lower()
        monkeypatch.setenv("SSL_CERT_FILE", str(tls / "cert"))
        with pytest.raises(Refused, match="not what sha256 says"):
            release(f"{address}/shop.tar", tree, sha256="0" * 64).resolve()
        with pytest.raises(Refused, match="cannot be fetched") as caught:
            release(f"{address}/away.tar", tree, sha256=right).resolve()
        assert "not https" in caught.value.evidence
        with pytest.raises(Refused, match="cannot be fetched"):
            release(f"{address}/none.tar", tree, sha256=right).resolve()
        ref = release(f"{address}/shop.tar", tree, sha256=right).resolve()
        assert ref.digest == digest_of(str(tree))
    again = release(f"{address}/shop.tar", tree, sha256=right).resolve()
    assert again == ref, "the server is not asked for what is here"
