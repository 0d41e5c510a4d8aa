"""Names of Kubernetes objects and labels, for every user name that a hub can have."""

from __future__ import annotations

import hashlib
import re

from dtale_magics.naming import MAX_LABEL, RESERVED, is_dns_label, is_host, looks_hashed, slug

__all__ = [
    "RESERVED",
    "is_label_value",
    "is_qualified_name",
    "is_service_name",
    "kubespawner_label",
    "object_name",
    "slug",
]

_SERVICE_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_MAX_POD_PART, _DIGEST = 48, 8
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def is_service_name(text: str) -> bool:
    """Whether `text` can be the name of a Service (RFC 1035: it begins with a letter)."""
    return len(text) <= MAX_LABEL and _SERVICE_NAME.fullmatch(text) is not None


def is_label_value(text: str) -> bool:
    """Whether `text` can be the value of a Kubernetes label; the empty text can."""
    return not text or (len(text) <= MAX_LABEL and _LABEL_VALUE.fullmatch(text) is not None)


def is_qualified_name(text: str) -> bool:
    """Whether `text` can be the key of a label or an annotation: ``example.org/name``."""
    prefix, slash, name = text.rpartition("/")
    return (is_host(prefix) or not slash) and bool(name) and is_label_value(name)


def object_name(pod: str, role: str = "dtale") -> str:
    """Name a Service or a route after the pod that it belongs to: ``dtale----jupyter-ada``.

    KubeSpawner names its own Services after its pods, and in Kubernetes a name belongs to whoever
    takes it first. No name that KubeSpawner makes has four hyphens in a row: it joins user and
    server with two, and a hash with three. Because the role comes first and the first four hyphens
    end it, no name of a user or a server can turn one object's name into another's.
    """
    prefix = f"{role}----"
    room = MAX_LABEL - len(prefix)
    if is_dns_label(pod) and len(pod) <= room and not looks_hashed(pod):
        return prefix + pod
    return prefix + slug(pod, max_length=room)


def kubespawner_pod(user: str, server: str = "") -> str:
    """Repeat the name that KubeSpawner 7 gives the pod of a server, by its default template."""
    user_part = _safe_slug(user)
    if not server:
        return f"jupyter-{user_part}"
    server_part = _safe_slug(server)
    if len(user_part) + len(server_part) + 2 <= _MAX_POD_PART:
        return f"jupyter-{user_part}--{server_part}"
    digest = hashlib.sha256(b"\xff".join(part.encode() for part in (user, server))).hexdigest()
    each = (_MAX_POD_PART - _DIGEST - 1) // 2 - 2
    readable = "--".join(_readable(part, each) for part in (user, server))
    return f"jupyter-{readable}---{digest[:_DIGEST]}"


def kubespawner_label(name: str) -> str:
    """Repeat the label value that KubeSpawner 7 gives a pod for a user's or server's name.

    Its scheme is public because Services select by it: a valid label value without a double hyphen
    stays, everything else is cut to 21 safe characters, ``---`` and 8 hexadecimal digits of the
    SHA-256. The empty server name stays empty.
    """
    if is_label_value(name) and "--" not in name:
        return name
    return _hashed(name, 32)


def _safe_slug(name: str) -> str:
    if is_service_name(name) and "--" not in name and len(name) <= _MAX_POD_PART:
        return name
    return _hashed(name, _MAX_POD_PART)


def _hashed(name: str, max_length: int) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{_readable(name, max_length - _DIGEST - 3)}---{digest}"


def _readable(name: str, max_length: int) -> str:
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).lstrip("-")[:max_length].rstrip("-")
    if readable and not readable[0].isalpha():
        readable = f"x-{readable[: max_length - 2]}"
    return readable or "x"
