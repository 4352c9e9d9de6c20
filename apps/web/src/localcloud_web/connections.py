"""Limits of a connection for which uvicorn has no setting: the time of a client, and which is closed for a new one."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Seconds that an idle connection is kept: longer than proxies do (60), so that none sends a request into its closing.
KEEP_ALIVE = 75
# Seconds from the start of a connection, or the first byte of a later request, to the end of the request's header.
HEADER = 10
# Seconds for the rest of a body after the response, which is one that refuses it.
REST = 30
# Bytes of a request besides its body: header, trailer, and what frames the chunks.
MOST_HEADER_BYTES = 128 * 1024
# Seconds in which a client takes a response, and the bytes a second that prolong them for a large one.
TAKING, SLOWEST = 60, 16 * 1024


class Connection(HttpToolsProtocol):
    """A connection of uvicorn that is dropped when its client is too slow, or waits while others need the place.

    `limit_concurrency` is how many there may be. uvicorn answers 503 above it, but counts connections that send nothing
    and keeps them for ever.
    """

    # When the connection began to wait for its client, by the loop's clock; None while it answers a request.
    quiet_since: float | None = None
    _allowance: float = HEADER
    _taken_by: float | None = None
    _header_bytes = 0
    _unfinished = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request. Where there are too many connections, the longest quiet one goes."""
        super().connection_made(transport)
        self._wait(HEADER)
        if self.limit_concurrency and len(self.connections) >= self.limit_concurrency:
            others = [one for one in self.connections if isinstance(one, Connection) and one is not self]
            quiet = [(one.quiet_since, place) for place, one in enumerate(others) if one.quiet_since is not None]
            if quiet:
                others[min(quiet)[1]].drop()

    def data_received(self, data: bytes) -> None:
        """Take what has come, unless the header has no end."""
        self._header_bytes += len(data)
        super().data_received(data)
        if self._header_bytes <= MOST_HEADER_BYTES or self.transport.is_closing():
            return
        if self.quiet_since is None:
            self.drop()
        else:
            self.send_400_response("The header of the request is too large.")

    def on_message_begin(self) -> None:
        """Begin to count and to time a header."""
        super().on_message_begin()
        self._header_bytes, self._unfinished = 0, True
        if self.quiet_since is not None:
            self._wait(HEADER)

    def on_headers_complete(self) -> None:
        """Answer a request."""
        super().on_headers_complete()
        self.quiet_since = None

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, whether it is read or not."""
        self._header_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that no more of a request comes."""
        super().on_message_complete()
        self._unfinished = False
        if self.quiet_since is not None:
            self._wait(KEEP_ALIVE)

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of a body that was not read."""
        super().on_response_complete()
        if self.cycle.response_complete:
            self._wait(REST if self._unfinished else KEEP_ALIVE)

    def overdue(self, now: float) -> bool:
        """Whether the client has had its time to send a request, or to take the response."""
        left = self.transport.get_write_buffer_size()
        if not left:
            self._taken_by = None
        elif self._taken_by is None:
            self._taken_by = now + TAKING + left / SLOWEST
        ends = [self._taken_by, None if self.quiet_since is None else self.quiet_since + self._allowance]
        return any(end is not None and now > end for end in ends)

    def drop(self) -> None:
        """End the connection at once, whatever is still to be sent."""
        self.quiet_since = None
        # Now, not when the loop tells of it: its place is given away.
        self.connections.discard(self)
        self.transport.abort()

    def _wait(self, seconds: float) -> None:
        self.quiet_since, self._allowance = self.loop.time(), seconds
