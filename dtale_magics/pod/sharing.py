"""Sharing: all notebooks of a pod listen on the same sockets.

The first one binds a port. Each of the others gets copies of the listening sockets from a sibling
(SCM_RIGHTS), and all of them accept from the one queue that these sockets have in common. So a
notebook that is killed, suspended or computing without a pause simply does not accept, and the
others do.

Only when siblings have the port and none of them answers does a newcomer steer it to sockets of
its own (`dtale_magics.pod.steering`). From then on those are the shared ones: a sibling that wakes
up finds that the port has newer sockets than its own, and gets copies of them.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dtale_magics import deadlines
from dtale_magics.errors import PortUnavailableError
from dtale_magics.outcome import AlreadyOurs, Free, Joined, Outcome, Party, Steered
from dtale_magics.pod import channel, exchange, names, peers, steering
from dtale_magics.pod.front import Front
from dtale_magics.serving.transport import listener
from dtale_magics.serving.transport.listener import Listener
from dtale_magics.system import procfs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dtale_magics.pod.exchange import Exchange, Message
    from dtale_magics.pod.inbox import Serves
    from dtale_magics.pod.peers import Peer

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 0.01
_UNBOUND_LOOKS = 5
"""How often to look at a port that is taken although nobody listens on it.

A sibling may be between ``bind`` and ``listen``.
"""

_PATIENCE_SECONDS = 3.0
"""How long we wait for siblings that do answer, but are still getting the port themselves."""


@dataclass(eq=False)
class SharedPort:
    """A port of this kernel.

    Attributes
    ----------
    port
        Its number.
    listeners
        The sockets that are shared.
    made
        When the sockets were made, ``time.monotonic()``: newer ones replace older ones.
    front, since
        Our places among the kernels that share it; when it became ours, in seconds since the epoch.
    fenced
        Whether it is steered to these sockets, whoever else binds beside them.
    """

    port: int
    listeners: list[Listener]
    made: float
    front: Front
    since: float = field(default_factory=time.time)
    fenced: bool = False

    @property
    def inodes(self) -> frozenset[int]:
        """Inodes of the sockets."""
        return frozenset(one.inode for one in self.listeners if one.fileno() >= 0)

    def mark(self, *, shared: bool) -> None:
        """Note whether siblings accept from the sockets as well."""
        for one in self.listeners:
            one.shared = shared


class _Copies(NamedTuple):
    """Sockets that a sibling has handed out."""

    made: float
    listeners: list[Listener]
    party: Party


class Sharing:
    """The ports of this kernel; thread-safe.

    Parameters
    ----------
    owner
        Random id of this kernel.
    server
        Serves the sockets.
    label
        Returns what the user calls this kernel, without asking anybody.
    """

    def __init__(self, owner: str, server: Serves, label: Callable[[], str]) -> None:
        self._owner = owner
        self._server = server
        self._label = label
        self._lock = threading.RLock()
        self._joining = threading.RLock()
        self._shared: dict[int, SharedPort] = {}
        self._closed = False

    def get(self, port: int) -> SharedPort | None:
        """Return our share of `port`; None when it is not ours."""
        with self._lock:
            return self._shared.get(port)

    @property
    def since(self) -> Mapping[int, float]:
        """Each port of ours, with the time it became ours (seconds since the epoch)."""
        with self._lock:
            return {port: shared.since for port, shared in sorted(self._shared.items())}

    # ------------------------------------------------------------------ getting

    def join_first(self, ports: Sequence[int]) -> Outcome:
        """Get the first of `ports` that is free or a sibling's, if none of them is ours.

        Raises
        ------
        PortUnavailableError
            Says who has the first of them.
        """
        with self._joining:
            self._check_open(ports)
            ours = next((port for port in ports if self.get(port) is not None), None)
            if ours is not None:
                return AlreadyOurs(ours)
            found = listener.reserve(ports, self._join_siblings)
            return found if isinstance(found, Outcome) else self._begin(found)

    def join_quietly(self, port: int) -> bool:
        """Get `port` if it is free, or shared by siblings that answer; never steer it."""
        with self._joining:
            if self._closed:
                return False
            try:
                found = listener.bind(port)
            except OSError:
                return self._join_siblings(port, steer=False) is not None
            return self._begin(found).ours

    def _join_siblings(self, port: int, *, steer: bool = True) -> Outcome | None:
        """Share a port that siblings have; None when none of them has it, or all are silent."""
        patience = time.monotonic() + _PATIENCE_SECONDS
        unbound_looks = 0
        while siblings := peers.siblings():
            group = steering.members(port)
            having = siblings_with(group, siblings)
            if not having:
                unbound_looks += 1
                if group or unbound_looks > _UNBOUND_LOOKS:
                    return None
            else:
                copies, refused = self._ask(port, having)
                if copies is not None:
                    return self._adopt(port, copies)
                if not refused:
                    outcome = self._steer(port, group, having) if steer else None
                    if outcome is not None or not steer:
                        return outcome
            if time.monotonic() >= patience:
                return None
            time.sleep(_RETRY_SECONDS)
            with contextlib.suppress(OSError):  # they may have left it meanwhile
                return self._begin(listener.bind(port))
        return None

    def _begin(self, bound: Listener) -> Outcome:
        """Be the first on a port that we have bound, and in front there."""
        self._enter(bound.port, [bound], time.monotonic()).front.take()
        return Free(bound.port)

    def _adopt(self, port: int, copies: _Copies) -> Outcome:
        self._enter(port, copies.listeners, copies.made).mark(shared=True)
        return Joined(port, copies.party)

    def _steer(self, port: int, group: frozenset[int], having: list[Peer]) -> Outcome | None:
        """Steer the port away from siblings that do not answer; None when that is impossible."""
        silent = frozenset[int]().union(*(procfs.socket_inodes(one.pid, group) for one in having))
        if group - silent or not steering.available():
            return None
        mine: list[Listener] = []
        try:
            with contextlib.closing(names.Named(f"steering/{port}")):
                if steering.members(port) != group:  # another newcomer was quicker
                    return None
                steering.join(port, mine, lambda fresh: self._server.add(*fresh, wait=False))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                logger.warning("port %s is not steered: %s", port, error)
            self._server.drop(*mine)
            return None
        self._enter(port, mine, time.monotonic()).fenced = True
        return Steered(port, having[0].party())

    def _enter(self, port: int, listeners: list[Listener], made: float) -> SharedPort:
        try:
            shared = SharedPort(port, listeners, made, Front(port, self._owner, self._server))
            self._server.add(*listeners)
        except (OSError, RuntimeError):  # out of descriptors, or the server has stopped meanwhile
            _close(listeners)
            raise
        with self._lock:
            self._shared[port] = shared
        return shared

    # ------------------------------------------------------------ what siblings ask

    def hand_out(self, message: Message, conversation: Exchange) -> Message | None:
        """Give a sibling copies of the sockets of a port."""
        port = message.get("port")
        shared = self.get(port) if isinstance(port, int) else None
        if shared is None:
            return {"ok": False, "why": "that port is not mine"}
        shared.mark(shared=True)
        answer = {"ok": True, "made": shared.made, "label": self._label()[:200]}
        conversation.send(answer, [one.fileno() for one in shared.listeners])
        return None

    def _ask(self, port: int, having: list[Peer]) -> tuple[_Copies | None, bool]:
        """Ask all at the same time; return the newest sockets, and whether one refused."""

        def ask(peer: Peer) -> _Copies | bool:
            try:
                return _ask_one(port, peer)
            except exchange.PeerRefusedError:
                return True
            except (exchange.ChannelError, OSError):
                return False

        with ThreadPoolExecutor(min(len(having), 16), "dtale_magics join") as pool:
            answers = list(pool.map(ask, having))
        copies = [answer for answer in answers if isinstance(answer, _Copies)]
        newest = max(copies, key=lambda one: one.made, default=None)
        for one in copies:
            if one is not newest:
                _close(one.listeners)
        return newest, any(answer is True for answer in answers)

    # ----------------------------------------------------------------- keeping

    def look_after(self, port: int, siblings: list[Peer]) -> None:
        """Fence `port` if it is not yet, adopt newer sockets, and note whether it is shared."""
        shared = self.get(port)
        if shared is None:
            return
        if not shared.fenced:
            shared.fenced = True
            self._fence(shared)
        shared.mark(shared=bool(siblings))
        others = steering.members(port) - shared.inodes
        having = siblings_with(others, siblings) if others else []
        if having:
            copies, _ = self._ask(port, having)
            if copies is not None:
                self._replace(shared, copies)

    def _replace(self, shared: SharedPort, copies: _Copies) -> None:
        with self._lock:
            if self._shared.get(shared.port) is not shared or copies.made <= shared.made:
                _close(copies.listeners)
                return
            before, shared.listeners = shared.listeners, copies.listeners
            shared.made, shared.fenced = copies.made, True
            shared.mark(shared=True)
        self._server.add(*copies.listeners)
        self._server.remove(*before)

    def _fence(self, shared: SharedPort) -> None:
        if len(shared.listeners) != 1 or not steering.available():
            return

        def serve(second: Listener) -> None:
            self._server.add(second)
            self._server.remove(second)

        if steering.members(shared.port) == shared.inodes:
            with contextlib.suppress(OSError):  # a sibling is steering it, or a sandbox forbids it
                steering.fence(shared.listeners[0], serve)

    def close(self) -> None:
        """Leave every port and take none any more, also not by an attempt that is under way."""
        with self._joining:
            self._closed = True
        for port in self.since:
            self.leave(port)

    def _check_open(self, ports: Sequence[int]) -> None:
        if self._closed:
            raise PortUnavailableError(ports[:1], "This notebook's D-Tale is stopping.")

    def leave(self, port: int) -> bool:
        """Give up our part of `port`; False when it is not ours."""
        with self._lock:
            shared = self._shared.pop(port, None)
        if shared is None:
            return False
        shared.front.leave()
        self._server.remove(*shared.listeners)
        return True


def siblings_with(inodes: frozenset[int], siblings: Iterable[Peer]) -> list[Peer]:
    """List the siblings that hold one of these sockets; all where the system does not tell."""
    if sys.platform != "linux":
        return list(siblings)
    return [one for one in siblings if inodes and procfs.socket_inodes(one.pid, inodes)]


def _ask_one(port: int, peer: Peer) -> _Copies:
    """Ask a sibling for copies of its sockets.

    Raises
    ------
    dtale_magics.pod.exchange.ChannelError
        When it does not answer, or refuses.
    OSError
        When what it handed out is unusable.
    """
    if procfs.is_stopped(peer.pid):
        raise exchange.PeerSilentError(f"Process {peer.pid} is suspended.")
    with channel.connect(peer, deadlines.SIBLING_IN_TURN) as conversation:
        conversation.send({"op": "share", "port": port})
        answer = channel.checked(conversation.receive(descriptors=True))
        listeners = []
        try:
            for descriptor in conversation.take_descriptors():
                listeners.append(Listener(socket.socket(fileno=descriptor)))  # noqa: PERF401 (closed)
            if not listeners or not all(_listens_on(port, one.socket) for one in listeners):
                raise exchange.ProtocolError("The other kernel sent no listener of that port.")
            made = float(answer["made"])
        except (OSError, exchange.ChannelError, KeyError, TypeError, ValueError) as error:
            _close(listeners)
            raise exchange.ProtocolError(f"Not what was asked for: {error!r}.") from error
    return _Copies(made, listeners, peer.party(str(answer.get("label", ""))))


def _listens_on(port: int, sock: socket.socket) -> bool:
    listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    return bool(listens) and sock.getsockname()[1] == port


def _close(listeners: Iterable[Listener]) -> None:
    for one in listeners:
        one.close()
