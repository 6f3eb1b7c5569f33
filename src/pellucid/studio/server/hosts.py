"""Names of this machine: which ones a browser may call the server by."""

from __future__ import annotations

import ipaddress
import socket

from ...errors import ArgumentError

__all__ = ["Hosts", "is_local", "listening"]

LOCAL = ("127.0.0.1", "localhost", "[::1]")
HTTP = 80  # the port that a browser leaves out


class Hosts:
    """The values of the header Host that are answered.

    A page of another site can have its name resolved to this machine (DNS rebinding), and then
    reads what the server says as its own; only its Host gives it away.

    Parameters
    ----------
    host : str
        What the server listens on.
    port : int

    Examples
    --------
    >>> hosts = Hosts("127.0.0.1", 8000)
    >>> [hosts.allows(name) for name in ("127.0.0.1:8000", "localhost:8000", "evil.example:8000")]
    [True, True, False]
    """

    def __init__(self, host: str, port: int) -> None:
        self.port = port
        names = set(LOCAL) if is_local(host) else {*LOCAL, *_own_names(host)}
        self._allowed = {self._with_port(name) for name in names}

    def allows(self, given: str | None, reached: str | None = None) -> bool:
        """Return whether a request with this Host is answered.

        ``reached`` is the address of this machine that the connection came in by, which it may
        always be called: a server on 0.0.0.0 has several.
        """
        if given is None:
            return False
        known = self._allowed
        if reached is not None:
            known = {*known, self._with_port(in_address(reached))}
        return given.lower() in known

    def _with_port(self, name: str) -> str:
        return name.lower() if self.port == HTTP else f"{name.lower()}:{self.port}"


def is_local(host: str) -> bool:
    """Return whether only this machine can reach ``host``.

    >>> is_local("127.0.0.1"), is_local("::1"), is_local("localhost"), is_local("0.0.0.0")
    (True, True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def in_address(host: str) -> str:
    """Return a host as an address has it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens on ``host``; port 0 takes a free one.

    Raises
    ------
    ArgumentError
        If the port is taken or not allowed, or the host is not one of this machine.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise ArgumentError(
            f"{host!r} is not a name or an address of this machine ({error}).", where="host"
        ) from error
    opened = socket.socket(family, kind, protocol)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows: or another program could share it
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:  # a port that was used a moment ago is free
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(place)
        opened.listen()
    except OSError as error:
        opened.close()
        raise _refused(host, port, error) from error
    opened.setblocking(False)
    return opened


def _refused(host: str, port: int, error: OSError) -> ArgumentError:
    """Return what is wrong with a port or a host in words."""
    import errno

    if error.errno == errno.EADDRINUSE:
        problem, where = f"{port} is taken by another program. Take another one", "port"
    elif error.errno == errno.EACCES:
        problem, where = f"{port} may not be used by this user. Take one above 1023", "port"
    else:
        reason = error.strerror or error
        return ArgumentError(f"cannot listen on {host!r}: {reason}.", where="host")
    return ArgumentError(f"{problem}, or leave it out: then a free one is found.", where=where)


def _own_names(host: str) -> set[str]:
    """Return what others may call this machine, apart from its addresses."""
    return {in_address(host), socket.gethostname(), socket.getfqdn()}
