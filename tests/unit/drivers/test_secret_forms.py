"""What is looked for of a secret, and what is left of a text that has it."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest

from gapless.drivers.secret_forms import secret_forms
from gapless.hostside.veil import veil

URL = "postgres://shop:hunter2 strong/ü@db.shop.example/shop?a=b&c"


def seen(text: str, *secrets: str, begun: bool = False, cut: bool = False) -> str:
    return veil(text.encode(), secret_forms(secrets), begun=begun, cut=cut).decode()


@pytest.mark.parametrize(
    "written",
    [
        URL,
        json.dumps(URL),
        json.dumps(URL, ensure_ascii=False),
        quote(URL),
        quote(URL, safe=""),
        quote_plus(URL),
        *(base64.b64encode(f"{before}{URL}\n".encode()).decode() for before in ("", "a", "ab")),
        base64.urlsafe_b64encode(URL.encode()).decode(),
    ],
)
def test_however_it_is_written(written: str) -> None:
    told = seen(f"using {written} now", URL)
    assert "***" in told
    assert not [word for word in ("hunter2", "strong", "db.shop", "aHVudGVyM") if word in told]
    assert written[12:40] not in told


def test_the_password_of_an_address_alone() -> None:
    assert seen("login with hunter2/x", "postgres://shop:hunter2%2Fx@db/shop") == "login with ***"


def test_each_line_of_several() -> None:
    key = "-----BEGIN-----\nabcdefgh\r\nijklmnop\n}"
    assert seen("ijklmnop}\nabcdefgh", key) == "***}\n***"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0123456789 … 0123", "0123456789 … ***"),
        ("456789abc …", "*** …"),
        ("89a bc", "89a bc"),
        ("secret012345", "***"),
        ("ab se", "ab se"),
    ],
)
def test_what_is_cut_at_either_end(text: str, told: str) -> None:
    begun = "456789abc"
    assert seen(text, "01234" + begun, "secret012345xyz", begun=True, cut=True) == told


def test_letters_that_are_cut_in_the_middle() -> None:
    text = "a passwörd".encode()[:-3]
    assert veil(text, secret_forms(["passwörd"]), cut=True) == b"a ***"


def test_nothing_is_hidden_of_nothing() -> None:
    assert secret_forms(["", "\n"]) == ()
