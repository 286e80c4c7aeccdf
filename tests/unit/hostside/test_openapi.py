"""Examples of OpenAPI descriptions become requests, and their answers a verdict."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from gapless.hostside.openapi import Example, NotAsked, base_path, examples, like
from gapless.hostside.probes import probe

RESTBASE = {
    "swagger": "2.0",
    "basePath": "/en.wikipedia.org/v1",
    "x-default-params": {"domain": "en.wikipedia.org"},
    "paths": {
        "/page/html/{title}{/revision}": {
            "get": {
                "x-amples": [
                    {
                        "title": "a page",
                        "request": {"params": {"title": "Foo bar"}, "query": {"stash": False}},
                        "response": {
                            "status": 200,
                            "headers": {"content-type": "/^text\\/html/"},
                            "body": "/<title>/",
                        },
                    },
                    {
                        "request": {"params": {"title": "Foo", "revision": 7}},
                        "response": {"status": 404, "body": {"type": "/not_found/"}},
                    },
                ]
            },
            "put": {"responses": {}},
        },
        "/transform": {
            "post": {
                "x-amples": [
                    {
                        "request": {"headers": {"x-one": 1}, "body": {"html": "<p>"}},
                        "response": {"status": 201},
                    }
                ]
            }
        },
        "/hidden": {"get": {"x-monitor": False, "x-amples": [{}]}},
        "/{nobody}": {"get": {}},
    },
}
OPENAPI = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://shop.example/api/v2"}],
    "components": {
        "parameters": {"Id": {"name": "id", "in": "path", "required": True, "example": 12}}
    },
    "paths": {
        "/orders/{id}": {
            "parameters": [{"$ref": "#/components/parameters/Id"}],
            "get": {
                "parameters": [
                    {"name": "full", "in": "query", "schema": {"default": True}},
                    {"name": "page", "in": "query"},
                    {"name": "X-Who", "in": "header", "examples": {"a": {"value": "me"}}},
                ],
                "responses": {"200": {}, "404": {}},
            },
        },
        "/search": {"get": {"parameters": [{"name": "q", "in": "query", "required": True}]}},
        "/self": {"get": {"parameters": [{"name": "sid", "in": "cookie", "required": True}]}},
        "/orders": {"post": {"requestBody": {}}},
    },
}


def split(document: dict[str, Any]) -> tuple[list[Example], list[str]]:
    found = list(examples(document))
    return (
        [one for one in found if isinstance(one, Example)],
        [one.text for one in found if isinstance(one, NotAsked)],
    )


def test_the_examples_that_are_written_down() -> None:
    asked, left = split(RESTBASE)
    assert [(one.method, one.path) for one in asked] == [
        ("get", "/page/html/Foo%20bar?stash=false"),
        ("get", "/page/html/Foo/7"),
        ("post", "/transform"),
    ]
    assert asked[0].expect == {
        "status": ["200"],
        "headers": {"content-type": "^text\\/html"},
        "body": "<title>",
    }
    assert asked[1].expect["like"] == {"type": "/not_found/"}
    assert (asked[2].body, asked[2].headers["x-one"]) == ('{"html": "<p>"}', "1")
    assert left == [
        "PUT /page/html/{title}{/revision} (no x-amples)",
        "GET /hidden (x-monitor: false)",
        "GET /{nobody} (no example of nobody)",
    ]
    assert base_path(RESTBASE) == "/en.wikipedia.org/v1"


def test_the_examples_of_parameters() -> None:
    (order,), left = split(OPENAPI)
    assert (order.path, order.headers) == ("/orders/12?full=true", {"X-Who": "me"})
    assert order.expect == {"status": ["200"]}
    assert left == [
        "GET /search (no example of q)",
        "GET /self (no example of sid)",
        "POST /orders (no x-amples)",
    ]
    assert base_path(OPENAPI) == "/api/v2"


@pytest.mark.parametrize(
    ("answer", "wanted", "holds"),
    [
        ({"a": {"b": [1, 2]}, "c": 3}, {"a": {"b": [1]}}, True),
        ({"a": [2, 1]}, {"a": [1]}, False),
        ({"a": 1}, {"b": 1}, False),
        ({"a": "x17"}, {"a": "/x\\d+/"}, True),
        ({"a": 1}, {"a": True}, False),
        (None, {"a": 1}, False),
    ],
)
def test_what_a_body_is_like(answer: Any, wanted: Any, holds: bool) -> None:
    assert like(answer, wanted) is holds


class Service(http.server.BaseHTTPRequestHandler):
    """Describes itself at /?spec, and answers what ``answers`` says."""

    document: ClassVar[dict[str, Any]] = RESTBASE
    answers: ClassVar[dict[str, tuple[int, str]]] = {}
    asked: ClassVar[list[tuple[str, str, str]]] = []

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        self.asked.append((self.path, self.headers.get("X-Token") or "", body))
        found = (200, json.dumps(self.document)) if self.path.endswith("/?spec") else None
        status, text = found or self.answers.get(self.path, (500, "broken"))
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


GOOD = {
    "/en.wikipedia.org/v1/page/html/Foo%20bar?stash=false": (200, "<title>x"),
    "/en.wikipedia.org/v1/page/html/Foo/7": (404, '{"type": "not_found"}'),
    "/en.wikipedia.org/v1/transform": (201, ""),
}


@contextlib.contextmanager
def serving(**attributes: Any) -> Iterator[tuple[int, list[tuple[str, str, str]]]]:
    asked: ClassVar[list[tuple[str, str, str]]] = []
    handler = type("Handler", (Service,), {**attributes, "asked": asked})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        server.server_close()


def ask(port: int, answer: float = 5.0, **spec: Any) -> dict[str, Any]:
    given = {"spec": f"http://127.0.0.1:{port}/?spec", "each": 2.0, "headers": {"X-Token": "t"}}
    question = {"name": "n", "kind": "openapi", "spec": {**given, **spec}, "answer": answer}
    return probe(question, float("inf"), threading.Event())


def test_all_examples_are_asked_and_what_is_not_is_told() -> None:
    with serving(answers=GOOD) as (port, asked):
        verdict = ask(port)
    assert verdict["status"] == "PASS"
    assert verdict["answer"].startswith("3 of 3 examples as described; not asked: PUT /page/html/")
    assert "GET /{nobody} (no example of nobody)" in verdict["answer"]
    assert ("/en.wikipedia.org/v1/transform", "t", '{"html": "<p>"}') in asked


def test_every_failure_is_told() -> None:
    answers = {**GOOD, "/en.wikipedia.org/v1/transform": (500, "oops")}
    answers["/en.wikipedia.org/v1/page/html/Foo/7"] = (404, '{"type": "other"}')
    with serving(answers=answers) as (port, _):
        verdict = ask(port)
    assert verdict["status"] == "FAIL"
    assert "1 of 3 examples as described" in verdict["answer"]
    assert "GET /page/html/Foo/7 → 404" in verdict["answer"]
    assert "(wanted body like" in verdict["answer"]
    assert "POST /transform → 500 oops (wanted status 201)" in verdict["answer"]


def test_a_base_and_a_description_of_our_own() -> None:
    document = {"paths": {"/up": {"get": {}}}}
    with serving(answers={"/below/up": (204, "")}) as (port, _):
        verdict = ask(port, document=document, base=f"http://127.0.0.1:{port}/below")
    assert verdict["status"] == "PASS"


@pytest.mark.parametrize("document", [{"paths": {}}, {"paths": {"/{a}": {"get": {}}}}])
def test_nothing_to_ask_is_no_pass(document: dict[str, Any]) -> None:
    with serving(document=document) as (port, _):
        assert ask(port)["status"] == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("document", "status"),
    [("text", "INCONCLUSIVE"), ({"a": 1}, "INCONCLUSIVE"), ({"paths": [1]}, "INCONCLUSIVE")],
)
def test_what_is_no_description_says_nothing(document: Any, status: str) -> None:
    with serving(document=document) as (port, _):
        assert ask(port)["status"] == status


def test_a_service_that_does_not_answer_fails() -> None:
    with serving() as (port, _):
        pass
    verdict = ask(port)
    assert (verdict["status"], verdict["answer"]) == (
        "FAIL",
        "no description: Connection refused",
    )


def test_what_there_was_no_time_for_is_no_pass() -> None:
    with serving(answers=GOOD) as (port, _):
        verdict = ask(port, answer=0.0)
    assert verdict["status"] == "INCONCLUSIVE"
    assert "(no time left)" in verdict["answer"]
