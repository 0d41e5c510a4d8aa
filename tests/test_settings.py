from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dtale_magics
from dtale_magics.errors import DtaleMagicsError, SettingError
from dtale_magics.settings import PortRange, parse_port, parse_range, resolve


def test_without_settings_the_range_is_that_of_dtale() -> None:
    settings = resolve(environ={})
    assert settings.range == (40000, 49000)
    assert settings.ingress_port == 40000
    assert settings.ingress_url is None


def test_the_environment_beats_the_default() -> None:
    settings = resolve(environ={"DTALE_MIN_PORT": "41000", "DTALE_MAX_PORT": "41010"})
    assert settings.range == (41000, 41010)
    assert settings.ingress_port == 41000


def test_config_beats_the_environment_trait_by_trait() -> None:
    environ = {"DTALE_MIN_PORT": "41000", "DTALE_MAX_PORT": "41010", "DTALE_INGRESS_PORT": "7000"}
    settings = resolve({"min_port": 41005, "max_port": None, "ingress_port": 8000}, environ)
    assert settings.range == (41005, 41010)
    assert settings.ingress_port == 8000


def test_the_magic_beats_config_and_moves_the_kernel_but_not_the_ingress() -> None:
    settings = resolve({"min_port": 41005}, {"DTALE_MAX_PORT": "41010"}, PortRange(42000, 42001))
    assert settings.range == (42000, 42001)
    assert settings.ingress_port == 41005


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DTALE_MIN_PORT", "43000")
    monkeypatch.setenv("DTALE_INGRESS_URL", "https://example.org/dtale")
    settings = resolve()
    assert settings.range.first == 43000
    assert settings.ingress_url == "https://example.org/dtale"


def test_an_empty_variable_is_no_setting() -> None:
    assert resolve(environ={"DTALE_MIN_PORT": "", "DTALE_MAX_PORT": ""}).range == (40000, 49000)


def test_a_first_port_above_the_default_last_one_is_a_range_of_one() -> None:
    assert resolve(environ={"DTALE_MIN_PORT": "50000"}).range == (50000, 50000)


@pytest.mark.parametrize("variable", ["DTALE_MIN_PORT", "DTALE_MAX_PORT", "DTALE_INGRESS_PORT"])
@pytest.mark.parametrize(
    "value", ["0", "65536", "-1", "40k", "4e4", "40000.0", "٤٠٠٠٠", "9" * 5000]
)
def test_a_value_that_is_no_port_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(SettingError) as caught:
        resolve(environ={variable: value})
    assert caught.value.name == variable
    assert caught.value.value == value
    assert variable in str(caught.value)
    assert "1 to 65535" in str(caught.value)


def test_the_address_of_a_kubernetes_service_link_is_named_as_what_it_is() -> None:
    with pytest.raises(SettingError, match="Kubernetes") as caught:
        resolve(environ={"DTALE_MIN_PORT": "tcp://10.3.240.7:80"})
    assert "DTALE_MIN_PORT" in caught.value.what
    assert "enableServiceLinks" in caught.value.hint


def test_an_empty_range_names_both_settings_and_what_to_type() -> None:
    with pytest.raises(SettingError) as caught:
        resolve({"max_port": 40000}, {"DTALE_MIN_PORT": "40010"})
    for part in (
        "DTALE_MIN_PORT (40010)",
        "c.DtaleMagics.max_port (40000)",
        "%dtale_port 40000 40010",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["40000", "40010"], (40000, 40010)),
        (["40000-40010"], (40000, 40010)),
        (["40005"], (40005, 40005)),
        (["1", "65535"], (1, 65535)),
    ],
)
def test_a_range_can_be_typed_in_every_usual_way(
    words: list[str], expected: tuple[int, int]
) -> None:
    assert parse_range(words) == expected


@pytest.mark.parametrize(
    "words", [[], ["1", "2", "3"], ["1-2-3"], ["40010", "40000"], ["a-b"], ["-"], ["40000-"], [""]]
)
def test_a_range_that_is_none_is_refused(words: list[str]) -> None:
    with pytest.raises(SettingError) as caught:
        parse_range(words)
    assert caught.value.hint


@given(st.integers(1, 65535))
def test_every_port_can_be_set(port: int) -> None:
    assert parse_port(port, "x") == parse_port(f" {port}\n", "x") == port


@given(st.text() | st.integers() | st.floats() | st.binary() | st.none())
def test_whatever_a_setting_holds_it_is_a_port_or_one_of_our_errors(value: object) -> None:
    try:
        assert 1 <= parse_port(value, "x") <= 65535
    except DtaleMagicsError as error:
        assert "x is " in str(error)  # noqa: PT017 (either outcome is right)


@given(st.integers(1, 65535), st.integers(1, 65535))
def test_a_range_holds_its_ends_and_reads_like_its_input(one: int, other: int) -> None:
    first, last = sorted((one, other))
    ports = parse_range([str(first), str(last)])
    assert first in ports
    assert last in ports
    assert first - 1 not in ports
    assert last + 1 not in ports
    assert str(first) not in ports  # type: ignore[comparison-overlap]
    assert parse_range([str(ports)]) == ports
    assert list(ports.ports[:1]) == [first]


def test_who_may_ask_is_closed_unless_somebody_says_otherwise() -> None:
    now = resolve(environ={})
    assert not now.open_access
    assert now.allowed_hosts == ()
    assert [str(one) for one in now.trusted_proxies][:2] == ["127.0.0.0/8", "10.0.0.0/8"]
    environ = {
        "DTALE_OPEN_ACCESS": "1",
        "DTALE_ALLOWED_HOSTS": "Dtale.Example.org, other.example.org",
        "DTALE_TRUSTED_PROXIES": "192.0.2.7",
    }
    now = resolve(environ=environ)
    assert now.open_access
    assert now.allowed_hosts == ("dtale.example.org", "other.example.org")
    assert [str(one) for one in now.trusted_proxies] == ["192.0.2.7/32"]
    assert not resolve({"open_access": False}, environ).open_access
    assert resolve({"trusted_proxies": []}, environ).trusted_proxies == ()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DTALE_OPEN_ACCESS", "perhaps"),
        ("DTALE_ALLOWED_HOSTS", "https://dtale.example.org/"),
        ("DTALE_ALLOWED_HOSTS", "x; script-src"),
        ("DTALE_TRUSTED_PROXIES", "10.0.0.0/99"),
    ],
)
def test_a_door_is_not_opened_by_a_guess(variable: str, value: str) -> None:
    with pytest.raises(SettingError, match=variable):
        resolve(environ={variable: value})


@pytest.mark.parametrize("port", ["x", 0, 99999999, -1, 1.5, True, "tcp://10.0.0.1:80"])
def test_what_is_no_port_cannot_be_taken_over(port: Any) -> None:
    with pytest.raises(SettingError, match="port is"):
        dtale_magics.take_over(port)
