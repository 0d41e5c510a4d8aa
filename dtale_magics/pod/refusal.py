"""Why a port is not available: who has it, in words, and what to do about it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dtale_magics.outcome import Party, Refused
from dtale_magics.pod import peers
from dtale_magics.system import holders

if TYPE_CHECKING:
    from dtale_magics.pod.peers import Peer

_LAST_PORT = 65535


def of_silent(port: int, having: list[Peer]) -> Refused:
    """Refuse a port whose siblings do not answer, and that could not be steered either."""
    parties = [one.party() for one in having]
    who = "; ".join(map(str, parties[:3]))
    hint = f"If that kernel hangs, restart it; or use another port: {_another(port)}"
    return Refused(port, f"{who} shares it, and does not answer.", hint, parties[0])


def of_stranger(port: int) -> Refused:
    """Refuse a port that a program has which is not a D-Tale of this user."""
    siblings = {peer.pid for peer in peers.siblings()}
    found = holders.find(port)
    # If a program listens beside a D-Tale of ours, that program is the reason, not the D-Tale.
    found = [one for one in found if one.listening and one.pid not in siblings] or found
    holder = None
    if len(found) == 1:
        one = found[0]
        holder = Party(one.command or f"user {one.user}", one.pid, one.since)
    who = "; ".join(map(str, found)) or holders.describe(port)
    if os.getpid() in {one.pid for one in found if one.listening}:
        hint = f"Stop that server, or use another port: {_another(port)}"
        return Refused(port, "a server of your own, in this notebook, has it.", hint, holder)
    listening = any(one.listening for one in found)
    what = "which is no D-Tale of yours, " if listening else ""
    hint = f"End it yourself if it is yours, or use another port: {_another(port)}"
    return Refused(port, f"it is held by {who}; {what}and is left alone.", hint, holder)


def _another(port: int) -> str:
    return f"%dtale_port {port + 1 if port < _LAST_PORT else port - 1}"
