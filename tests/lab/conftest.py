"""Gives the tests in this folder the lab."""

from .fixtures import *  # noqa: F403
from .fixtures import _used_hosts  # noqa: F401
