"""Envoy: the suite against real processes, and what is particular to it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from gapless.testing.balancer_suite import BalancerRig, BalancerSuite

from .envoy_rig import envoy_rig, need_envoy


@pytest.fixture(autouse=True)
def _installed() -> None:
    need_envoy()


class TestEnvoy(BalancerSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return envoy_rig(self.folder)
