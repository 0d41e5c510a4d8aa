"""Names that Kubernetes and DNS accept, for every user name that a hub can have.

Two rules hold for all of them: the result is always valid, and two different inputs never share one
(a name that is changed in any way carries 65 bits of its SHA-256).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import unicodedata

MAX_LABEL = 63
"""Longest DNS label and longest label value in Kubernetes (RFC 1123, section 2.1)."""

MAX_HOST = 253
"""Longest DNS name in its written form (RFC 1035, section 2.3.4)."""

RESERVED = frozenset(
    {
        *("hub", "user", "users", "services", "api", "login", "logout", "oauth", "oauth2"),
        *("auth", "sso", "id", "accounts", "account", "admin", "home", "static", "assets"),
        *("www", "mail", "smtp", "imap", "ftp", "ns", "ns1", "ns2", "mx", "localhost", "wpad"),
        *("autodiscover", "autoconfig", "metrics", "health", "healthz", "status", "jupyter"),
        *("jupyterhub", "dashboard", "traefik", "grafana", "prometheus", "kubernetes", "dtale"),
        *(".well-known", "robots.txt", "favicon.ico", "dex", "vault", "git", "registry"),
    }
)
"""Parts of a host or a path that a user's name must not become: they are somebody else's.

A user called ``hub`` would otherwise get the Hub's own login page with ``/{user}``, and
``hub.example.org`` with ``{user}.example.org``."""

_HASH_LENGTH = 13
_OBJECT = "dtale--"
_HASHED = re.compile(rf"(^|-)[a-z2-7]{{{_HASH_LENGTH}}}$")
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_SERVICE_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def is_dns_label(text: str) -> bool:
    """Whether `text` can be one part of a host name (RFC 1123)."""
    return len(text) <= MAX_LABEL and _DNS_LABEL.fullmatch(text) is not None


def is_service_name(text: str) -> bool:
    """Whether `text` can be the name of a Service (RFC 1035: it begins with a letter)."""
    return len(text) <= MAX_LABEL and _SERVICE_NAME.fullmatch(text) is not None


def is_label_value(text: str) -> bool:
    """Whether `text` can be the value of a Kubernetes label; the empty text can."""
    return not text or (len(text) <= MAX_LABEL and _LABEL_VALUE.fullmatch(text) is not None)


def is_host(text: str) -> bool:
    """Whether `text` can be a host name."""
    return len(text) <= MAX_HOST and all(is_dns_label(label) for label in text.split("."))


def slug(*parts: str, max_length: int = 40) -> str:
    """Make one DNS label out of a user's name, or of a user's and a server's.

    A single name that is a DNS label already stays as it is. Everything else becomes readable text
    and a hash. A name that only *looks* hashed is hashed too, so nobody can choose a name that
    becomes somebody else's label. Double hyphens never occur: DNS keeps them for
    internationalised names (RFC 5891, section 4.2.3.1).

    Parameters
    ----------
    parts
        The names; their number and borders count, ``("a", "b")`` is not ``("a-b",)``.
    max_length
        Longest result, at least 16, in characters.
    """
    if len(parts) == 1:
        (name,) = parts
        plain = is_dns_label(name) and len(name) <= max_length
        if plain and "--" not in name and not _HASHED.search(name):
            return name
    digest = _digest(parts)
    ascii_text = unicodedata.normalize("NFKD", "-".join(parts)).encode("ascii", "ignore").decode()
    readable = re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-")
    readable = readable[: max_length - _HASH_LENGTH - 1].rstrip("-")
    return f"{readable}-{digest}" if readable else digest


def joined(text: str, parts: tuple[str, ...], max_length: int = MAX_LABEL) -> str:
    """Make one part of a host or a path out of `text`, which several names were put together in.

    ``ada-gpu`` and ``default`` look like ``ada`` and ``gpu-default`` when a hyphen joins them. So
    the result carries 65 bits of the SHA-256 of the names as they were, whatever joins them.

    Parameters
    ----------
    text
        Readable, of the characters of a DNS label.
    parts
        The names; see `slug`.
    max_length
        Longest result, in characters.
    """
    readable = text[: max_length - _HASH_LENGTH - 1].rstrip("-.")
    return f"{readable}-{_digest(parts)}"


def object_name(pod: str) -> str:
    """Name a Service or a route after the pod that it belongs to.

    The pod's name is unique in its namespace, whatever template the hub uses for it, so two hubs
    in one namespace do not meet. No pod is called so, and no Service that KubeSpawner makes, whose
    names begin as the pods' do: ``jupyter-ada-dtale`` is the pod of a user called ``ada-dtale``.
    """
    name = f"{_OBJECT}{pod}"
    if is_service_name(name):
        return name
    return _OBJECT + slug(pod, max_length=MAX_LABEL - len(_OBJECT))


def _digest(parts: tuple[str, ...]) -> str:
    data = json.dumps(parts).encode()  # escapes everything, so lone surrogates are no trouble
    return base64.b32encode(hashlib.sha256(data).digest()).decode().lower()[:_HASH_LENGTH]


def kubespawner_label(name: str) -> str:
    """Repeat the label value that KubeSpawner 7 gives a pod for a user's or server's name.

    Its scheme is public because Services select by it: a valid label value without a double hyphen
    stays, everything else is cut to 21 safe characters, ``---`` and 8 hexadecimal digits of the
    SHA-256. The empty server name stays empty.
    """
    if is_label_value(name) and "--" not in name:
        return name
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).lstrip("-")[:21].rstrip("-")
    if not readable[:1].isalpha():
        readable = f"x-{readable[:19]}" if readable else "x"
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{readable}---{digest}"
