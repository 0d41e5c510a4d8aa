"""Port ranges that belong to one test alone."""

from __future__ import annotations

import random
import socket
import sys
from typing import TYPE_CHECKING

from dtale_magics.serving.transport import listener
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from typing_extensions import Self

# Below the ephemeral ports (32768 on Linux), so that no outgoing connection takes one.
FIRST, LAST = 20000, 25999
BLOCK = 20

_THOUSANDS = range(26000, 30000)
"""Apart from the others, whose blocks are kept for a whole session."""

_WAIT_SECONDS = 100.0


class PortClaims:
    """Ranges of free ports, kept from every other test run on this machine until closed."""

    def __init__(self) -> None:
        self._locks: dict[int, socket.socket] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for lock in self._locks.values():
            lock.close()

    def take(self, count: int = BLOCK) -> range:
        """Claim `count` consecutive ports, all of them free."""
        blocks = -(-count // BLOCK)
        starts = range(FIRST, LAST + 2 - blocks * BLOCK, BLOCK)
        for start in random.SystemRandom().sample(starts, len(starts)):
            wanted = [start + index * BLOCK for index in range(blocks)]
            if self._claim(wanted):
                if all(map(_is_free, range(start, start + count))):
                    return range(start, start + count)
                for block in wanted:
                    self._locks.pop(block).close()
        raise AssertionError(f"no {count} consecutive free ports in {FIRST}-{LAST}")

    def take_thousands(self) -> range:
        """Claim thousands of ports, most of them free; waits for another test run that has them."""
        self._locks[_THOUSANDS.start] = wait_until(
            lambda: machine_lock("thousands"),
            _WAIT_SECONDS,
            explain=lambda: "another test run keeps them",
        )
        return _THOUSANDS

    def _claim(self, blocks: list[int]) -> bool:
        claimed: dict[int, socket.socket] = {}
        for block in blocks:
            lock = None if block in self._locks else machine_lock(str(block))
            if lock is None:
                for other in claimed.values():
                    other.close()
                return False
            claimed[block] = lock
        self._locks.update(claimed)
        return True


def machine_lock(name: str) -> socket.socket | None:
    """Take what only one test run of a machine can have; None when another one has it.

    It is a socket's name, which dies with its process.
    """
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    if sys.platform == "linux":  # abstract names exist nowhere else
        try:
            lock.bind(f"\0dtale_magics tests {name}")
        except OSError:
            lock.close()
            return None
    return lock


def _is_free(port: int) -> bool:
    """Whether any program could listen: one that does not reuse addresses minds TIME_WAIT too."""
    try:
        listener.bind(port).close()
        with socket.socket() as strict:
            strict.bind(("0.0.0.0", port))
    except OSError:
        return False
    return True
