"""The cord of a container: a file in it that its health check looks at.

While the file holds anything the container may be healthy; when it is empty, or not there, it is
not. So whoever sends traffic to healthy containers alone is told by it, and no program in the
container has to know. A new container has none: it gets nothing before it is admitted.
"""

from __future__ import annotations

import io
import tarfile

LABEL = "gapless.cord"
"""On every container whose health check looks at it: the seconds between two looks."""
FILE = ".gapless-cord"
"""In the root folder of the container; ``engine_script.cording`` says the same."""


def archive(*, whole: bool) -> bytes:
    """What the engine is given to unpack in the root folder."""
    content = b"in\n" if whole else b""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo(FILE)
        entry.size, entry.mode = len(content), 0o644
        tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def is_whole(packed: bytes) -> bool:
    """What the engine packed says. Raises ValueError for what is no archive of it."""
    try:
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            return tar.getmember(FILE).size > 0
    except (tarfile.TarError, KeyError) as error:
        raise ValueError(str(error)) from None
