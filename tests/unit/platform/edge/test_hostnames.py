from __future__ import annotations

import pytest

from ephemera.platform.edge import hostnames
from ephemera.platform.refusals import Refusal


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("shop.example.com", "shop.example.com"),
        ("Shop.Example.COM", "shop.example.com"),
        ("shop.example.com.", "shop.example.com"),
        ("*.example.com", "*.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("*.BÜCHER.example", "*.xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("shop.localhost", "shop.localhost"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_a_host_name_is_kept_as_certificates_have_it(given: str, kept: str) -> None:
    assert hostnames.checked(given) == kept


@pytest.mark.parametrize(
    "given",
    [
        "",
        ".",
        "localhost",
        "*.",
        "*",
        "*.com",
        "a.*.com",
        "**.example.com",
        "-a.example",
        "a-.example",
        "a..example",
        "a_b.example",
        "a b.example",
        "a/b.example",
        "../etc.example",
        "a\0.example",
        "a\n.example",
        "1.2.3.4",
        "a:80.example",
        "a" * 64 + ".example",
        "a." * 127 + "example",
        "ü" * 300 + ".example",
        "\ud800.example",
    ],
)
def test_what_no_certificate_can_be_for_is_refused(given: str) -> None:
    with pytest.raises(Refusal, match="is not the name of a host") as caught:
        hostnames.checked(given)
    assert caught.value.status == 422


@pytest.mark.parametrize(
    ("names", "hostname", "covered"),
    [
        (["a.example"], "a.example", True),
        (["A.Example"], "a.example", True),
        (["b.example", "a.example"], "a.example", True),
        (["*.example"], "a.example", True),
        (["*.example"], "a.b.example", False),
        (["*.example"], "example", False),
        (["*.example"], "*.example", True),
        (["a.example"], "*.example", False),
        (["*.b.example"], "*.example", False),
        ([], "a.example", False),
    ],
)
def test_a_certificate_is_good_for_its_names_and_one_label_in_place_of_a_star(
    names: list[str], hostname: str, covered: bool
) -> None:
    assert hostnames.covers(names, hostname) is covered


def test_only_names_below_localhost_are_this_computers() -> None:
    assert hostnames.is_local("shop.localhost")
    assert not hostnames.is_local("localhost.example")
    assert not hostnames.is_local("notlocalhost")
