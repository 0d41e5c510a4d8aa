"""Whose a request is stands in its path, however that is spelled and whatever stands in front."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from dtale_magics.serving import addressee

SLUG = "eda-v2-" + "0123456789abcdef" * 2
HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
READABLE = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?", fullmatch=True)
PREFIX = st.lists(st.text("abcxyz0123456789-_.~", min_size=1, max_size=12), max_size=4)


def head(target: str, method: str = "GET") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


@given(
    READABLE,
    HEX,
    PREFIX,
    st.sampled_from(["", "/", "/dtale/main/1", "?a=/x", "/dtale/data/1?q=%2F"]),
)
def test_the_capability_is_found_below_any_prefix(
    readable: str, digits: str, prefix: list[str], rest: str
) -> None:
    slug = f"{readable}-{digits}"
    path = "".join(f"/{part}" for part in prefix) + f"/{slug}{rest}"
    found = addressee.names_in(head(path))
    assert found is not None
    assert slug in found
    absolute = addressee.names_in(head(f"http://ada.example.org{path}", "POST"))
    assert absolute is not None
    assert slug in absolute


def test_another_spelling_is_the_same_capability() -> None:
    for spelled in (
        f"//{SLUG}/",
        f"/%2f{SLUG}/",
        "/" + "".join(f"%{ord(letter):02x}" for letter in SLUG) + "/",
        f"/{quote(SLUG)}/",
    ):
        assert addressee.names_in(head(spelled)) == [SLUG]


def test_owner_ids_of_a_probe_are_found_and_what_a_query_holds_is_not() -> None:
    owner, other = "0123456789abcdef", "fedcba9876543210"
    assert addressee.names_in(head(f"/x/_magics/who/{owner}.{other}")) == [owner, other]
    assert addressee.names_in(head(f"/?next=/{SLUG}/")) == []
    assert addressee.names_in(head("/dtale/main/1")) == []


@given(st.binary(max_size=300))
def test_whatever_comes_is_no_error(garbage: bytes) -> None:
    found = addressee.names_in(garbage)
    assert found is None or len(found) <= 64
    many = addressee.names_in(b"GET /" + b"/".join([b"f" * 32] * 500) + b" HTTP/1.1\r\n\r\n")
    assert many is not None
    assert len(many) <= 64
