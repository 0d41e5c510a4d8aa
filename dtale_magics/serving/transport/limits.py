"""What a server bears: how many peers at once, and for how long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How many peers an acceptor has at once, and how long each may take.

    Attributes
    ----------
    served
        Connections that are served at once; further ones wait in the system's queue.
    admission_seconds
        How long a connection may be served before it is admitted (`Connection.admit`), and how
        long the head of a request may take.
    crowded_seconds
        The same for a connection that is served while others wait for its place.
    heads
        Connections whose head has not arrived; one more drops the one that has waited longest.
    downloads
        Downloads at once; one more drops the one to which least was sent for its age.
    download_seconds
        How long a download may take: for the two megabytes of D-Tale's script, 7 kB/s.
    idle_seconds
        After how long a peer that neither sends nor takes a byte is gone.
    """

    served: int = 64
    admission_seconds: float = 15.0
    crowded_seconds: float = 1.0
    heads: int = 256
    downloads: int = 64
    download_seconds: float = 300.0
    idle_seconds: int = 60


DEFAULT_LIMITS = Limits()
