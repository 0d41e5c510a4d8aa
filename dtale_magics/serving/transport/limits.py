"""What a server puts up with: how many peers at once, and for how long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How many peers an acceptor serves at once, and how long each may take.

    Attributes
    ----------
    served
        Connections that are served at once; further ones wait in the system's queue.
    admission_seconds
        How long a connection may be served before it is admitted (`Connection.admit`), and how
        long the head of a request may take.
    crowded_seconds
        The same while other connections wait for a place.
    heads
        Connections whose head has not arrived; one more drops the one that has waited longest.
    downloads
        Downloads at once; one more drops the one with the lowest average speed.
    download_seconds
        How long a download may take; 300 s is 7 kB/s for the two megabytes of D-Tale's script.
    idle_seconds
        How long a peer may neither send nor take a byte before it counts as gone.
    """

    served: int = 64
    admission_seconds: float = 15.0
    crowded_seconds: float = 1.0
    heads: int = 256
    downloads: int = 64
    download_seconds: float = 300.0
    idle_seconds: int = 60


DEFAULT_LIMITS = Limits()
