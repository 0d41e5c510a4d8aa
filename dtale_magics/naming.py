"""Names and the placeholders of addresses: one rule for a kernel and for the cluster around it.

An admin's template such as ``https://{user}.dtale.example.org`` is filled in twice: by the hub,
which makes the route, and by a kernel, which shows the link. Both call `fill`, so both mean the
same address. This module needs only the standard library, because the hub's image has no more.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

MAX_LABEL = 63
"""Longest DNS label and longest label value in Kubernetes (RFC 1123, section 2.1)."""

MAX_HOST = 253
"""Longest DNS name in its written form (RFC 1035, section 2.3.4)."""

MAX_FIELD = 40
"""Longest text that a placeholder becomes."""

FIELDS = ("user", "server", "pod", "namespace", "port")
"""The placeholders that a host or a path may have, in braces."""

DEFAULT_SERVER = "default"
"""Value of ``{server}`` for the server without a name."""

_RESERVED = """
account accounts admin api assets auth autoconfig autodiscover blog cdn chat dashboard dns docs
dtale ftp gateway git grafana health healthz help hub imap ingress isatap jupyter jupyterhub local
localhost login logout mail metrics mx nginx notebook ns ns1 ns2 oauth oauth2 pop prometheus proxy
registry root service services signin signup smtp sso static status support traefik user users vpn
webmail wpad www xn
"""
RESERVED = frozenset(_RESERVED.split())
"""Labels and path elements that no user may have, whatever the user's name is.

``hub``, ``user``, ``services`` and ``api`` are JupyterHub's own paths; the others are hosts that
people, browsers and mail programs believe to be run by the owner of the domain.
"""

_SHORTEST_FIELD = 16
_PORT_DIGITS = 5
_HASH_LENGTH = 13
_HASHED = re.compile(rf"(^|-)[a-z2-7]{{{_HASH_LENGTH}}}$")
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_FIELD = re.compile(r"\{(" + "|".join(FIELDS) + r")\}")
_SEGMENT = re.compile(r"[^./:]+")


@dataclass(frozen=True)
class Names:
    """What the placeholders stand for, as the hub and Kubernetes spell it.

    `server` is empty for the user's default server.
    """

    user: str
    server: str = ""
    pod: str = ""
    namespace: str = ""


def is_dns_label(text: str) -> bool:
    """Whether `text` can be one part of a host name (RFC 1123)."""
    return len(text) <= MAX_LABEL and _DNS_LABEL.fullmatch(text) is not None


def is_host(text: str) -> bool:
    """Whether `text` can be a host name."""
    return len(text) <= MAX_HOST and all(is_dns_label(label) for label in text.split("."))


def looks_hashed(text: str) -> bool:
    """Whether `text` could be what `slug` made of another text."""
    return _HASHED.search(text) is not None


def slug(*parts: str, max_length: int = MAX_FIELD, hashed: bool = False) -> str:
    """Make one DNS label from a user's name, or from a user's and a server's.

    A single name that already is a DNS label stays as it is. Everything else becomes readable text
    and 65 bits of its SHA-256, so two different inputs never share a result. A name that only
    *looks* hashed is hashed too, so nobody can choose a name that becomes somebody else's label.
    Double hyphens never occur: DNS keeps them for internationalised names (RFC 5891, section
    4.2.3.1), and templates use them to join two names.

    Parameters
    ----------
    parts
        The names; their number and borders count: ``("a", "b")`` is not ``("a-b",)``.
    max_length
        Maximum length of the result in characters, at least 16.
    hashed
        Hash it even if it could stay as it is.
    """
    if len(parts) == 1 and not hashed:
        (name,) = parts
        plain = is_dns_label(name) and len(name) <= max_length
        if plain and "--" not in name and not looks_hashed(name):
            return name
    return _hashed("-".join(parts), list(parts), max_length)


def _hashed(text: str, exact: list[Any], max_length: int) -> str:
    """Make `text` readable, and append 65 bits of the SHA-256 of `exact`."""
    data = json.dumps(exact).encode()  # escapes everything, so lone surrogates do no harm
    digest = base64.b32encode(hashlib.sha256(data).digest()).decode().lower()[:_HASH_LENGTH]
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    readable = re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-")
    readable = readable[: max_length - _HASH_LENGTH - 1].rstrip("-")
    return f"{readable}-{digest}" if readable else digest


def fill(template: str, names: Names, port: str = "{port}", context: str = "") -> str:
    """Fill the placeholders of a host, a path or a URL.

    If nothing in the template tells the servers of a user apart, ``{user}`` stands for the user
    *and* the named server. A part that would become a reserved word is hashed. Two names whose
    border is ambiguous, as in ``{user}-{server}``, are hashed together: otherwise server ``x`` of
    user ``ada-gpu`` and server ``gpu-x`` of user ``ada`` would clash.

    Parameters
    ----------
    template
        Text with any of ``{user} {server} {pod} {namespace} {port}``.
    names
        What they stand for.
    port
        What ``{port}`` becomes; by default it stays.
    context
        The rest of the address, if `template` is only a part of it.
    """
    apart = fields(template + context) & {"server", "pod"}
    return _SEGMENT.sub(
        lambda found: _fill_segment(found[0], names, port, apart=bool(apart)), template
    )


def fields(template: str) -> frozenset[str]:
    """List the placeholders of a template; braces around anything else do not count."""
    return frozenset(_FIELD.findall(template))


def _has_borders(segment: str) -> bool:
    """Whether the names in a part of an address can be separated in only one way.

    A slug has letters, digits and single hyphens. So ``--`` marks the border between two, and in a
    path any other character does, too; a single hyphen does not.
    """
    between = _FIELD.split(segment)[2:-1:2]
    return all("--" in text or re.search(r"[^a-z0-9-]", text) for text in between)


def _fill_segment(segment: str, names: Names, port: str, *, apart: bool) -> str:
    used = _FIELD.findall(segment)
    texts = [name for name in used if name != "port"]
    if not texts:
        return segment.replace("{port}", port)
    if len(texts) > 1 and not _has_borders(segment):
        return _joined(segment, names, port, apart=apart)
    literal = len(_FIELD.sub("", segment)) + _PORT_DIGITS * (len(used) - len(texts))
    room = min(MAX_FIELD, max(_SHORTEST_FIELD, (MAX_LABEL - literal) // len(texts)))

    def filled(*, hashed: bool) -> str:
        def value(found: re.Match[str]) -> str:
            if found[1] == "port":
                return port
            parts = _parts(found[1], names, apart=apart)
            return slug(*parts, max_length=room, hashed=hashed)

        return _FIELD.sub(value, segment)

    text = filled(hashed=False)
    # To DNS, "xn--…" and the like are internationalised names.
    moved = text in RESERVED or text[2:4] == "--"
    return filled(hashed=True) if moved else text


def _joined(segment: str, names: Names, port: str, *, apart: bool) -> str:
    """Hash the names of a part together; the port follows, because a kernel fills it in."""
    used = _FIELD.findall(segment)
    exact = [list(_parts(name, names, apart=apart)) for name in used if name != "port"]

    def value(found: re.Match[str]) -> str:
        return "" if found[1] == "port" else slug(*_parts(found[1], names, apart=apart))

    text = _FIELD.sub(value, segment)
    if "port" not in used:
        return _hashed(text, exact, MAX_LABEL)
    return f"{_hashed(text, exact, MAX_LABEL - _PORT_DIGITS - 1)}-{port}"


def _parts(field: str, names: Names, *, apart: bool) -> tuple[str, ...]:
    match field:
        case "user":
            return (names.user, names.server) if names.server and not apart else (names.user,)
        case "server":
            # A server that is really called "default" must not clash with the one without a name.
            if names.server == DEFAULT_SERVER:
                return (DEFAULT_SERVER, "")
            return (names.server or DEFAULT_SERVER,)
        case "pod":
            return (names.pod,)
    return (names.namespace or "default",)
