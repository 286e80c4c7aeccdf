from __future__ import annotations

import contextlib
import http.server
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gapless.hostside.probes import in_short, probe


class Answering(http.server.BaseHTTPRequestHandler):
    status, body, drip = 200, b"{}", 0.0

    def do_GET(self) -> None:
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "http://192.0.2.1/")
            self.end_headers()
            return
        self.send_response(self.status)
        self.send_header("X-Host", self.headers["Host"])
        self.end_headers()
        with contextlib.suppress(OSError):
            for byte in self.body:
                time.sleep(self.drip)
                self.wfile.write(bytes([byte]))
                self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving(context: ssl.SSLContext | None = None, **attributes: object) -> Iterator[int]:
    handler = type("Handler", (Answering,), attributes)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def ask(kind: str, answer: float = 20.0, **spec: Any) -> dict[str, Any]:
    question = {"name": "n", "kind": kind, "spec": spec, "answer": answer}
    return probe(question, float("inf"), threading.Event())


def test_a_good_answer() -> None:
    with serving(body=b'{"status": "healthy"}') as port:
        url = f"http://127.0.0.1:{port}/health?x=1"
        verdict = ask("http", url=url, expect={"json": {"status": "healthy"}})
    assert verdict["status"] == "PASS"
    assert verdict["answer"] == '200 {"status": "healthy"}'


def test_a_bad_answer_is_shown_in_one_line_of_bounded_length() -> None:
    with serving(status=500, body=b"line\nline\n" * 1000) as port:
        verdict = ask("http", url=f"http://127.0.0.1:{port}/")
    assert verdict["status"] == "FAIL"
    assert verdict["answer"].startswith("500 line line")
    assert len(verdict["answer"]) == 300


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("a\nb", "a b"),
        ("Traceback\n" + "  File x\n" * 90 + "OSError: no\n", "Traceback … OSError: no"),
        ("CRITICAL - 9 late\n" + "host x\n" * 90, "CRITICAL - 9 late … host x"),
        ("x" * 400 + "\ny", "x" * 299 + "…"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_of_a_long_output_both_ends_are_told(said: str, answer: str) -> None:
    assert in_short(said) == answer


def test_what_is_sent_can_be_replaced_and_is_sent_once() -> None:
    seen: list[list[tuple[str, str]]] = []

    def keep(handler: Answering) -> None:
        seen.append(handler.headers.items())
        Answering.do_GET(handler)

    with serving(do_GET=keep) as port:
        url = f"http://127.0.0.1:{port}/"
        assert ask("http", url=url)["status"] == "PASS"
        assert ask("http", url=url, headers={"host": "shop", "Connection": "Upgrade"})
    usual, replaced = ({name.lower(): value for name, value in items} for items in seen)
    assert (usual["accept-encoding"], usual["connection"]) == ("identity", "close")
    assert (replaced["host"], replaced["connection"]) == ("shop", "Upgrade")
    assert len(replaced) == len(seen[1])


def test_a_websocket_may_be_what_is_wanted() -> None:
    with serving(status=101) as port:
        verdict = ask("http", url=f" HTTP://127.0.0.1:{port}/", expect={"status": 101})
    assert (verdict["status"], verdict["answer"]) == ("PASS", "101")


def test_redirects_are_answers() -> None:
    with serving() as port:
        verdict = ask("http", url=f"http://127.0.0.1:{port}/elsewhere")
    assert (verdict["status"], verdict["answer"]) == ("FAIL", "302")


@pytest.mark.alone
def test_a_dripping_answer_is_cut_off_in_time() -> None:
    with serving(body=b"x" * 100, drip=0.1) as port:
        began = time.monotonic()
        verdict = ask("http", 0.5, url=f"http://127.0.0.1:{port}/")
    assert (verdict["status"], verdict["answer"]) == ("FAIL", "no answer within 0.5 s")
    assert time.monotonic() - began < 2


def test_names_that_do_not_exist() -> None:
    verdict = ask("http", url="http://no-such-host.invalid/")
    assert verdict["status"] == "FAIL"
    assert verdict["answer"].startswith("name not found")


def test_a_question_that_cannot_be_judged_is_inconclusive() -> None:
    with serving() as port:
        verdict = ask("http", url=f"http://127.0.0.1:{port}/", expect={"body": "("})
    assert verdict["status"] == "INCONCLUSIVE"


def test_certificates_are_verified(tmp_path: Path) -> None:
    key, cert = tmp_path / "key", tmp_path / "cert"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=shop.test", "-addext", "subjectAltName=DNS:shop.test"]
    files = ["-keyout", str(key), "-out", str(cert)]
    if subprocess.run([*made, *names, *files], capture_output=True).returncode != 0:
        pytest.skip("needs openssl")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with serving(context) as port:
        url = f"https://127.0.0.1:{port}/"
        unknown = ask("http", url=url)
        assert unknown["status"] == "FAIL"
        assert "certificate" in unknown["answer"]
        wrong_name = ask("http", url=url, ca=str(cert))
        assert wrong_name["status"] == "FAIL"
        assert "not valid for '127.0.0.1'" in wrong_name["answer"]
        known = ask("http", url=url, ca=str(cert), server_name="shop.test")
        assert known["status"] == "PASS"
        expect = {"headers": {"X-Host": "^shop.test$"}}
        named = ask("http", url=url, ca=str(cert), server_name="shop.test", expect=expect)
        assert named["status"] == "PASS"
        assert ask("http", url=url, insecure=True)["status"] == "PASS"


@pytest.mark.parametrize(
    ("script", "status", "answer"),
    [
        ("echo fine", "PASS", "exit 0: fine"),
        ("echo careful; exit 1", "FAIL", "exit 1: careful"),
        ("echo bad >&2; exit 2", "FAIL", "exit 2: bad"),
        ("exit 3", "INCONCLUSIVE", "exit 3"),
        ("exit 42", "FAIL", "exit 42"),
    ],
)
def test_commands_answer_as_nagios_plugins_do(script: str, status: str, answer: str) -> None:
    verdict = ask("command", argv=["sh", "-c", script])
    assert (verdict["status"], verdict["answer"]) == (status, answer)


def test_a_command_has_to_say_what_is_wanted() -> None:
    assert ask("command", argv=["echo", "accepting"], output="^accepting")["status"] == "PASS"
    assert ask("command", argv=["echo", "refusing"], output="^accepting")["status"] == "FAIL"


def test_a_hanging_command_is_no_answer() -> None:
    began = time.monotonic()
    verdict = ask("command", 0.3, argv=["sh", "-c", "sleep 60 & wait"])
    assert (verdict["status"], verdict["answer"]) == ("FAIL", "no answer within 0.3 s")
    assert time.monotonic() - began < 3


def test_a_missing_program_fails() -> None:
    verdict = ask("command", argv=["no-such-program"])
    assert verdict["status"] == "FAIL"
    assert "no-such-program" in verdict["answer"]


def test_sockets(tmp_path: Path) -> None:
    with serving() as port:
        assert ask("tcp", host="127.0.0.1", port=port)["status"] == "PASS"
    refused = ask("tcp", host="127.0.0.1", port=port)
    assert (refused["status"], refused["answer"]) == ("FAIL", "Connection refused")
    missing = ask("unix", path=str(tmp_path / "none"))
    assert (missing["status"], missing["answer"]) == ("FAIL", "No such file or directory")


def test_an_unknown_kind_is_inconclusive() -> None:
    assert ask("telepathy")["status"] == "INCONCLUSIVE"
