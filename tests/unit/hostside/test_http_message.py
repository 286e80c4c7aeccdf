"""What is sent to a health endpoint, and what is understood of its answer."""

from __future__ import annotations

import io

import pytest

from gapless.hostside.http_message import Headers, Malformed, Url, read_answer, request


def answer(data: bytes, method: str = "GET", largest: int = 1000) -> tuple[int, Headers, bytes]:
    return read_answer(io.BytesIO(data), method, largest)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("http://web1/", ("http", "web1", 80, "/", "web1")),
        ("http://web1", ("http", "web1", 80, "/", "web1")),
        ("https://web1/health", ("https", "web1", 443, "/health", "web1")),
        ("http://web1:8080/a?b=c#d", ("http", "web1", 8080, "/a?b=c", "web1:8080")),
        ("http://web1?b=/c", ("http", "web1", 80, "/?b=/c", "web1")),
        ("http://me:secret@web1:81/", ("http", "web1", 81, "/", "web1:81")),
        ("http://[::1]:8080/", ("http", "::1", 8080, "/", "[::1]:8080")),
        ("http://[::1]/", ("http", "::1", 80, "/", "[::1]")),
        (" HTTP://web1/ ", ("http", "web1", 80, "/", "web1")),
        ("HttpS://web1/A", ("https", "web1", 443, "/A", "web1")),
    ],
)
def test_the_parts_of_a_url(text: str, parts: tuple[object, ...]) -> None:
    url = Url(text)
    assert (url.scheme, url.host, url.port, url.target, url.netloc) == parts


@pytest.mark.parametrize("text", ["web1/health", "ftp://web1/", "http://", "http://web1:x/", ""])
def test_what_cannot_be_asked(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a URL|invalid literal"):
        Url(text)


def test_a_request() -> None:
    sent = request("GET", "/health", {"Host": "web1", "Accept": "*/*"})
    assert sent == b"GET /health HTTP/1.1\r\nHost: web1\r\nAccept: */*\r\n\r\n"


@pytest.mark.parametrize(("method", "told"), [("POST", 1), ("PUT", 1), ("PATCH", 1), ("HEAD", 0)])
def test_a_request_that_could_have_a_body_says_that_it_has_none(method: str, told: int) -> None:
    assert request(method, "/", {"Host": "a"}).count(b"\r\nContent-Length: 0\r\n") == told
    assert request(method, "/", {"content-length": "0"}).lower().count(b"content-length") == 1


@pytest.mark.parametrize("target", ["/a b", "/a\r\nX: y"])
def test_nothing_ends_a_line_too_early(target: str) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        request("GET", target, {})
    with pytest.raises(ValueError, match="cannot hold"):
        request("GET", "/", {"X": "a\nb"})


def test_a_body_by_length() -> None:
    status, headers, body = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: 1\r\n\r\nokmore")
    assert (status, headers.get("x"), body) == (200, "1", b"ok")


def test_a_body_up_to_the_end() -> None:
    assert answer(b"HTTP/1.0 503 Down\r\n\r\nall of it")[0::2] == (503, b"all of it")


def test_a_body_in_chunks() -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    data += b"4;note=1\r\nwarm\r\nA\r\n and ready\r\n0\r\nTrailer: 1\r\n\r\n"
    assert answer(data)[2] == b"warm and ready"
    assert answer(data, largest=6)[2] == b"warm a"


def test_no_more_than_asked_for() -> None:
    assert answer(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 50, largest=7)[2] == b"x" * 7


def test_a_provisional_answer_is_not_the_answer() -> None:
    data = (
        b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    )
    assert answer(data)[0] == 200


def test_a_change_of_protocol_is_the_answer_and_has_no_body() -> None:
    data = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    status, headers, body = answer(data + b"\x81\x05hello")
    assert (status, headers.get("upgrade"), body) == (101, "websocket", b"")


def test_a_length_said_twice_is_one_length() -> None:
    twice = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nokmore"
    assert answer(twice)[2] == b"ok"
    assert answer(twice.replace(b": 2\r\nContent-Length:", b": 2,"))[2] == b"ok"


def test_a_field_may_go_on_in_the_next_line() -> None:
    data = b"HTTP/1.1 200 OK\r\n lost\r\nX-A: one\r\n  two\r\n\tthree\r\nX-B: 1\r\n\r\n"
    headers = answer(data)[1]
    assert (headers.get("x-a"), headers.get("x-b")) == ("one two three", "1")


def test_a_line_that_is_no_field_is_passed_over() -> None:
    data = b"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 2\r\n\r\nokmore"
    assert answer(data)[2] == b"ok"


def test_an_answer_without_a_body() -> None:
    assert answer(b"HTTP/1.1 204 No Content\r\n\r\nnoise")[2] == b""
    assert answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "HEAD")[2] == b""


def test_headers_of_the_same_name_are_one_list() -> None:
    headers = answer(b"HTTP/1.1 200 OK\nSet-Cookie: a\nset-cookie: b\n\n")[1]
    assert headers.get("SET-COOKIE") == "a, b"
    assert headers.get("Date") is None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "closed without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not an HTTP answer"),
        (b"HTTP/1.1 2xx\r\n\r\n", "not an HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "after 5 of 10 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "not a length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n", "not a length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "not a length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "length of a chunk"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", "length of a chunk"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 300 + b"\r\n", "more than 256 headers"),
        (b"HTTP/1.1 200 " + b"x" * 70000, "more than 65536 bytes"),
    ],
)
def test_what_is_not_http(data: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        answer(data)
