"""A slow link before a server: what comes down shares a rate, and everything takes its time.

A process of its own, so that it does not share the measurer's GIL; this file is both, the context
manager and the script. Each connection begins with a round trip, as TCP's do; its slow start is
left out. (The emulation in Chromium will not do: it gave brotli an eighth less than zstd.)
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BYTES_PER_SECOND = 10e6 / 8
ROUND_TRIP_SECONDS = 0.05

_CHUNK = 4096
_AHEAD_SECONDS = 0.01


@contextmanager
def slow_link(host: str, port: int) -> Iterator[int]:
    """Give the port of this machine from which the link leads to `host`:`port`."""
    with subprocess.Popen(
        [sys.executable, __file__, host, str(port)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


class _Link:
    """Where connections wait for each other: one chunk goes down at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._free_at = 0.0

    async def serve(self, near: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(ROUND_TRIP_SECONDS)
        with contextlib.suppress(OSError):
            far, far_writer = await asyncio.open_connection(*self._target)
            up = asyncio.create_task(self._up(near, far_writer))
            while data := await far.read(_CHUNK):
                gone_at = max(loop.time(), self._free_at) + len(data) / BYTES_PER_SECOND
                self._free_at = gone_at
                loop.call_at(gone_at + ROUND_TRIP_SECONDS / 2, writer.write, data)
                await asyncio.sleep(gone_at - loop.time() - _AHEAD_SECONDS)
            await asyncio.sleep(self._free_at - loop.time() + ROUND_TRIP_SECONDS)
            up.cancel()
            far_writer.close()
        writer.close()

    @staticmethod
    async def _up(near: asyncio.StreamReader, far: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await near.read(65536):
                await asyncio.sleep(ROUND_TRIP_SECONDS / 2)
                far.write(data)


async def main(host: str, port: int) -> None:
    server = await asyncio.start_server(_Link(host, port).serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
