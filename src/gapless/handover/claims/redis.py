"""Claims as keys of a Redis server, which forgets them by itself.

Nothing is sent twice by the client library: a claim whose answer was lost may have been won, and
would be answered *lost* the second time.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from gapless.handover.claims.store import LOST, WON, Answer, Busy, NoAnswer

_TIMEOUT = 1.0
_BEAT = 1.0
_LIFE_MS = 3000

# KEYS: the claim. ARGV: what it must hold, what it shall hold, milliseconds to live
_TAKE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1"""
_FINISH = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1"""


class RedisStore:
    """One for each process."""

    remote = True

    def __init__(self, url: str, namespace: str, owner: str) -> None:
        """Raises ImportError without the package ``redis``, ValueError for a url that is none."""
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self.horizon_ms = 900_000
        self._prefix, self._owner = f"gapless:{namespace}:", owner
        self._errors = redis.RedisError
        self._hung_up = redis.ConnectionError
        try:
            self._redis: Any = redis.Redis.from_url(
                url.replace("redis+unix://", "unix://", 1),
                decode_responses=True,
                socket_timeout=_TIMEOUT,
                socket_connect_timeout=_TIMEOUT,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError as error:
            # its words may hold a part of the password
            raise ValueError("is no url of Redis") from error
        self._ended = threading.Event()
        self._beating: threading.Thread | None = None
        self._starting = threading.Lock()

    def open(self) -> None:
        """Says that the owner lives, and goes on saying so."""
        with self._starting:
            if self._beating is not None:
                return
            with self._answering():
                self._beat()
            self._beating = threading.Thread(target=self._beat_on, name="claims", daemon=True)
            self._beating.start()

    def claim(self, event_id: str, *, done: bool) -> Answer:
        """As the store says."""
        self.open()
        key = self._prefix + event_id
        with self._answering():
            try:
                won = self._redis.set(
                    key, f"{self._owner} {int(done)}", nx=True, px=self.horizon_ms
                )
            except self._hung_up:
                return self._after_hanging_up(key)
            return WON if won else self._holder(key)

    def _after_hanging_up(self, key: str) -> Answer:
        """A connection that was idle for long may be gone before anything was sent."""
        found = self._redis.get(key)
        if found is None:
            raise Busy("the server closed the connection")
        if found.startswith(f"{self._owner} "):
            raise NoAnswer("the server closed the connection, and it is not known for which event")
        return _said(found)

    def _holder(self, key: str) -> Answer:
        found = self._redis.get(key)
        if found is None:
            raise Busy("a claim ran out while it was looked at")
        return _said(found)

    def take_over(self, event_id: str, dead: str) -> Answer:
        """Compares and sets in one: of two that try, one wins."""
        key = self._prefix + event_id
        with self._answering():
            if self._redis.eval(
                _TAKE, 1, key, f"{dead} 0", f"{self._owner} 0", str(self.horizon_ms)
            ):
                return WON
            return self._holder(key)

    def finish(self, event_id: str) -> None:
        """Marks the own claim as done."""
        with self._answering():
            self._redis.eval(
                _FINISH, 1, self._prefix + event_id, f"{self._owner} 0", f"{self._owner} 1"
            )

    def is_alive(self, owner: str) -> bool:
        """Whether this process lives."""
        with self._answering():
            return bool(self._redis.exists(f"{self._prefix}owner:{owner}"))

    def sweep(self) -> int:
        """Keys run out by themselves."""
        return 0

    def close(self) -> None:
        """Nothing is claimed any more."""
        self._ended.set()
        if self._beating is not None:
            self._beating.join(2 * _TIMEOUT)
            with contextlib.suppress(self._errors):
                self._redis.delete(f"{self._prefix}owner:{self._owner}")
        self._redis.close()

    def _beat(self) -> None:
        self._redis.set(f"{self._prefix}owner:{self._owner}", "1", px=_LIFE_MS)

    def _beat_on(self) -> None:
        # of its own thread, so that a handler that blocks the loop does not look dead
        while not self._ended.wait(_BEAT):
            with contextlib.suppress(self._errors):
                self._beat()

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise NoAnswer(f"redis: {error}") from error


def _said(value: str) -> Answer:
    owner, _, state = value.rpartition(" ")
    if state == "1":
        return LOST
    if state == "0" and owner:
        return Answer(won=False, pending_of=owner)
    raise NoAnswer(f"redis: a claim holds {value!r}")
