"""Reading HAProxy's answers, without one."""

from __future__ import annotations

import pytest

from gapless.drivers.balancers.haproxy_view import NonsenseError, parse

INFO = "Name: HAProxy\nPid: 42\nStart_time_sec: 1700000000"
STAT = "# pxname,svname,qcur,scur,status,check_status,stot,\n"
STATE = "1\n# be_name srv_name srv_op_state srv_admin_state srv_uweight srv_check_state\n"


def answer(status: str, check: str, op: int, admin: int, checks: int, *, scur: int = 0) -> str:
    stat = f"{STAT}shop,web1,0,{scur},{status},{check},7,"
    return f"{INFO}\n\n{stat}\n\n{STATE}shop web1 {op} {admin} 1 {checks}\n\n"


@pytest.mark.parametrize(
    ("status", "check", "op", "admin", "checks", "serving", "out"),
    [
        ("UP", "L7OK", 2, 0, 6, True, False),
        ("UP", "* L7OK", 2, 0, 7, True, False),  # the next check is under way
        ("UP 1/2", "INI", 2, 0, 6, False, False),  # optimistic: no check yet
        ("UP 2/3", "L4CON", 2, 0, 6, False, False),  # the last check failed
        ("UP", "L4OK", 1, 0, 6, True, False),  # slow start
        ("UP", "L7OK", 2, 4, 6, True, False),  # "disabled" in the configuration, enabled since
        ("NOLB", "L7OK", 3, 0, 6, False, False),
        ("DOWN", "L4CON", 0, 0, 6, False, False),
        ("DOWN", "L4CON", 0, 8, 6, False, True),  # drained, shown DOWN
        ("DRAIN", "L7OK", 2, 8, 6, False, True),
        ("DRAIN", "L7OK", 2, 16, 6, False, True),
        ("MAINT", "", 0, 5, 14, False, True),
        ("MAINT (resolution)", "", 0, 32, 14, False, True),
        ("no check", "", 2, 0, 0, True, False),
        ("no check", "", 2, 0, 2, True, False),  # "disable health"
    ],
)
def test_what_a_server_line_means(
    status: str, check: str, op: int, admin: int, checks: int, serving: bool, out: bool
) -> None:
    view = parse(answer(status, check, op, admin, checks))
    server = view.servers["web1"]
    assert (server.serving, server.out) == (serving, out)
    assert view.life == "42 1700000000" and status in str(server)


def test_sessions_make_it_busy() -> None:
    server = parse(answer("DRAIN", "L7OK", 2, 8, 6, scur=3)).servers["web1"]
    assert not server.idle and "3 open" in str(server)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "xyzzy",
        "No such proxy.\n\n",
        f"{INFO}\n\nNo such proxy.\n\nCan't find backend.\n\n",
        f"{INFO}\n\n{STAT}\n\n2\n# be_name\n\n",
        answer("UP", "L7OK", 2, 0, 6).replace("shop,web1,0,", "shop,web1,many,"),
        answer("UP", "L7OK", 2, 0, 6).replace("Pid: 42\n", ""),
        answer("UP", "L7OK", 2, 0, 6)[:-40],
        answer("UP", "L7OK", 2, 0, 6).replace("shop,web1", "shop,web9"),
    ],
)
def test_rubbish_is_never_read_as_something(text: str) -> None:
    with pytest.raises(NonsenseError):
        parse(text)
