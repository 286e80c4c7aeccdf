from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapless.config.scaffold import Answers, write_config
from gapless.config.source import check_config, load_config

FULL = Answers(
    "shop",
    hosts=("web[1:4].shop.example", "db1.shop.example"),
    user="deploy",
    units=("shop-api.service", "shop-cache.service", "shop-db.service"),
    health={
        "shop-api.service": "http://localhost:3001/health",
        "shop-cache.service": "localhost:6379",
        "shop-db.service": "pg_isready -h localhost",
    },
    haproxy="/run/haproxy/admin.sock",
)

WRITTEN = """\
# yaml-language-server: $schema=gapless.schema.json
# Written by gapless init. Your editor helps after: gapless schema > gapless.schema.json
# Next: gapless check, then gapless doctor.

project: shop

# Machines by name; web[1:4].example stands for four.
hosts:
  localhost: {transport: local, groups: [app]}

# What every service falls back to.
defaults:
  health: {timeout: 30s, interval: 2s, retries: 3, retry_delay: 5s}
  soak: 30s  # how long a new instance is watched before the next one
  rollout: {batch: 1, max_unavailable: 1, max_failed: 0, on_failure: rollback}

services:
  shop-api:
    on: [app]  # groups or hosts
    systemd: shop-api.service
    # health: {http: 'http://localhost:8080/health', expect: {status: 200}}
    # after: [another-service]
    # release: {directory: ./dist, to: /srv/shop-api}
"""


def written(folder: Path, answers: Answers) -> Path:
    file = folder / "gapless.yaml"
    file.write_text(write_config(answers))
    return file


def test_what_is_written() -> None:
    assert write_config(Answers("shop", units=("shop-api.service",))) == WRITTEN


@pytest.mark.parametrize("answers", [FULL, Answers("a"), Answers("a", hosts=("h",))])
def test_it_passes_check(tmp_path: Path, answers: Answers) -> None:
    assert check_config(written(tmp_path, answers)) == ()


def test_every_answer_is_in_it(tmp_path: Path) -> None:
    project = load_config(written(tmp_path, FULL)).project
    assert len(project.hosts) == 5
    assert project.hosts["web2.shop.example"].user == "deploy"
    checks = {name: service.health[0] for name, service in project.services.items()}
    assert checks["shop-api"].http == "http://localhost:3001/health"
    assert checks["shop-cache"].tcp == "localhost:6379"
    assert checks["shop-db"].command == ("pg_isready", "-h", "localhost")
    assert set(project.balancers) == {"haproxy-shop-api", "haproxy-shop-cache", "haproxy-shop-db"}


@pytest.mark.parametrize("line", ["    # health", "    # release"])
def test_lines_in_comments_are_right_too(tmp_path: Path, line: str) -> None:
    text = write_config(Answers("a", units=("b.service",))).replace(line, line.replace("# ", ""))
    (tmp_path / "gapless.yaml").write_text(text)
    assert check_config(tmp_path / "gapless.yaml") == ()


@given(
    st.text("abc:'\"{}[],#&*!|>%@- ", min_size=1).filter(str.strip),
    st.from_regex(r"[a-z][a-z0-9._-]{0,20}", fullmatch=True),
)
def test_no_answer_breaks_the_file(
    tmp_path_factory: pytest.TempPathFactory, health: str, unit: str
) -> None:
    answers = Answers(
        "a", user="on", units=(f"{unit}.service",), health={f"{unit}.service": f"true \\{health}"}
    )
    folder = tmp_path_factory.mktemp("init")
    problems = check_config(written(folder, answers))
    answers_own = ("cannot split", "unknown placeholder")
    assert not [p for p in problems if not any(word in p.text for word in answers_own)]
