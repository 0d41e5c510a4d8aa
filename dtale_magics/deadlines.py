"""Time-outs that contain one another, in seconds; each is derived from the one around it."""

from __future__ import annotations

TAKEOVER = 5.0
"""How long a takeover may take before it is refused, by default."""

SIBLING = 0.5
"""How long a sibling may take to answer before we consider it suspended."""

SIBLING_IN_TURN = 0.8 * SIBLING
"""The same if somebody waits for something that comes after it."""

SERVER_NAME = SIBLING
"""How long the Jupyter server may take to say what a notebook is called."""

KNOWN_NAME = SIBLING / 2
"""The same if an earlier name is known: a sibling that asks for ours waits for `SIBLING`, and a
Jupyter server that is busy with pages must not make us look suspended."""

CHECK = 3.0
"""How long a check of all URLs may take: first the siblings are asked, then the URLs."""

PROBE = CHECK - SIBLING
"""How long all probes together may take."""

CHANNEL = 5.0
"""How long a whole conversation with a sibling may take."""

SIBLING_CHECK = CHANNEL - SIBLING
"""How long a sibling may take for its own check."""

assert CHECK < SIBLING_CHECK
