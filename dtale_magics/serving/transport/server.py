"""One WSGI server for a kernel: Werkzeug's request machinery on any number of our listeners.

We use Werkzeug because it closes the connection after each response. With servers that keep
connections alive, a proxy's pooled connection carried requests that were meant for a port's new
owner to the old one.
"""

from __future__ import annotations

import contextlib
import io
import logging
import socket
from typing import TYPE_CHECKING, Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from dtale_magics.serving.transport import listener
from dtale_magics.serving.transport.acceptor import LINGER_SECONDS, Acceptor
from dtale_magics.serving.transport.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

    from dtale_magics.serving.transport.acceptor import Router
    from dtale_magics.serving.transport.connections import Accepting, Connection

logger = logging.getLogger(__name__)
# Without any handler, logging would print errors into the notebook.
logging.getLogger("dtale_magics").addHandler(logging.NullHandler())

CONNECTION_KEY = "dtale_magics.connection"
"""Key of the `Connection` in the WSGI environment, where `Web` admits it."""

_MAX_LEFTOVERS = 256 * 1024


class _LogStream(io.TextIOBase):
    """``wsgi.errors`` that writes to our logger instead of into the notebook."""

    def write(self, text: str) -> int:
        if text.strip():
            logger.error("%s", text.rstrip())
        return len(text)


_ERRORS = _LogStream()


class _Leftovers:
    """The end of a request's body that nobody has read.

    Werkzeug reads it after the answer, ten megabytes at a time. From a peer that has not shown the
    link, we read only as much as a client sends before it reads the answer.
    """

    def __init__(self, stream: io.BufferedIOBase, connection: Connection) -> None:
        self._stream = stream
        self._connection = connection
        self._left = _MAX_LEFTOVERS

    def read(self, size: int) -> bytes:
        """Read some of it; b"" when enough was read."""
        if self._connection.admitted:
            return self._stream.read(size)
        data = self._stream.read1(min(size, self._left)) if self._left else b""
        self._left -= len(data)
        return data

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()


class _RequestHandler(WSGIRequestHandler):
    """A request handler that prints nothing, sends no banner, and knows its `Connection`.

    It avoids calls that release the GIL: under load, each release costs it a turn.
    """

    server: _RequestMachinery

    def setup(self) -> None:
        super().setup()
        try:  # leave it to the system: with a timeout, Python polls before each read and write
            milliseconds = 1000 * self.server.idle_seconds
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        except (AttributeError, OSError):  # not on Linux, or in a sandbox
            self.connection.settimeout(self.server.idle_seconds)

    def make_environ(self) -> WSGIEnvironment:
        try:
            environ = super().make_environ()
        except ValueError:  # from urllib, for a target such as http://[
            self.path = "*"  # this gets the answer that everybody gets
            environ = super().make_environ()
        environ["wsgi.errors"] = _ERRORS
        environ["SERVER_SOFTWARE"] = ""
        connection = self.server.connection_of(self.connection)
        environ["SERVER_PORT"] = str(connection.port)
        environ[CONNECTION_KEY] = connection
        if self._announces_body():
            self.connection.settimeout(
                self.server.idle_seconds
            )  # the system has no time-out for a body that does not come
            self.rfile = _Leftovers(self.rfile, connection)  # type: ignore[assignment]
        else:
            # After each answer, Werkzeug waits 10 ms for the rest of a body, unless it sees the end
            # of the stream. This shows it the end.
            with contextlib.suppress(OSError):  # the peer went away
                self.connection.shutdown(socket.SHUT_RD)
        return environ

    def _announces_body(self) -> bool:
        """Whether something follows the head of the request (RFC 9112, section 6)."""
        return "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0") != "0"

    def send_response(self, code: int, message: str | None = None) -> None:
        """Send the status line without naming the server and its version."""
        self.send_response_only(code, message)
        self.send_header("Date", self.date_time_string())

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a malformed request with its status alone."""
        del message, explain
        self.close_connection = True
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 (Werkzeug's name)
        """Drop the access log: request lines contain the capability."""
        del type, message, args


class _RequestMachinery(ThreadedWSGIServer):
    """Werkzeug's server object without a socket and without its accept loop.

    All listeners share one: making one takes milliseconds, which a takeover does not have.
    """

    def __init__(self, app: WSGIApplication, idle_seconds: int) -> None:
        self.idle_seconds = idle_seconds
        with listener.new_socket() as unbound:
            host = "::" if unbound.family == socket.AF_INET6 else "0.0.0.0"  # noqa: S104
            super().__init__(host, 0, app, _RequestHandler, fd=unbound.fileno())
        self.socket.close()
        self._connections: dict[Any, Connection] = {}

    def connection_of(self, sock: Any) -> Connection:
        """Find the connection that was accepted as `sock`."""
        return self._connections[sock]

    def serve(self, connection: Connection) -> None:
        """Answer the request of `connection`; then the acceptor closes it."""
        self._connections[connection.socket] = connection
        try:
            self.finish_request(connection.socket, connection.address)
        finally:
            del self._connections[connection.socket]

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 (Werkzeug's name)
        """Log a failed request under our name; Werkzeug's own logger prints into the notebook."""
        logger.log(getattr(logging, type.upper(), logging.ERROR), message.rstrip(), *args)

    def shutdown(self) -> None:
        """Do nothing: D-Tale's own shutdown calls this on any server that it finds.

        Werkzeug's method would wait for an accept loop that never ran.
        """


class Server:
    """The kernel's WSGI server.

    Parameters
    ----------
    app
        Answers all requests.
    limits
        How many requests run at once, and for how long.
    router, is_busy
        See `Acceptor`.
    """

    def __init__(
        self,
        app: WSGIApplication,
        limits: Limits = DEFAULT_LIMITS,
        *,
        router: Router | None = None,
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._machinery = _RequestMachinery(app, limits.idle_seconds)
        self._acceptor = Acceptor(
            self._handle,
            "dtale_magics server",
            limits,
            http=True,
            router=router,
            is_busy=is_busy,
        )

    @property
    def alive(self) -> bool:
        """Whether requests are being accepted in this process."""
        return self._acceptor.alive

    @property
    def active(self) -> int:
        """How many connections are being served."""
        return self._acceptor.active

    @property
    def arriving(self) -> int:
        """How many connections wait for the rest of their request's head."""
        return self._acceptor.arriving

    def add(self, *listeners: Accepting, wait: bool = True) -> None:
        """Serve `listeners` as well; see `Acceptor.add`."""
        self._acceptor.add(*listeners, wait=wait)

    def remove(self, *listeners: Accepting, linger: float = LINGER_SECONDS) -> None:
        """Close `listeners` after `linger` seconds; requests in flight finish."""
        self._acceptor.remove(*listeners, linger=linger)

    def drop(self, *listeners: Accepting, wait: bool = True) -> None:
        """Close `listeners` at once; requests in flight finish. See `Acceptor.drop`."""
        self._acceptor.drop(*listeners, wait=wait)

    def drain(self, timeout: float) -> bool:
        """Wait until no request runs; False when one still does after `timeout` seconds."""
        return self._acceptor.drain(timeout)

    def stop(self, timeout: float = 2.0) -> None:
        """Close every listener; requests in flight have `timeout` seconds to finish."""
        self._acceptor.stop(timeout)

    def _handle(self, connection: Connection) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):  # the peer went away
            self._machinery.serve(connection)
