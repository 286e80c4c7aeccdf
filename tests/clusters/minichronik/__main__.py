"""One node, until SIGTERM."""

from __future__ import annotations

import asyncio
import sys

from .node import Node
from .settings import read


async def main() -> int:
    return await Node(read(sys.argv[1:])).run()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
