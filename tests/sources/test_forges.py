"""Names of repositories out of their addresses."""

from __future__ import annotations

import pytest

from sources._shared.forges import repository_of


@pytest.mark.parametrize(
    "address,name",
    [
        ("https://github.com/acme/checkout", "acme/checkout"),
        ("https://github.com/acme/checkout.git", "acme/checkout"),
        ("HTTPS://user@git.example:8443/acme/checkout/", "acme/checkout"),
        ("git@github.com:acme/checkout.git", "acme/checkout"),
        ("git@git.example:/acme/checkout.git", "acme/checkout"),
        ("ssh://git@git.example:2222/acme/checkout.git", "acme/checkout"),
        ("git://github.com/acme/checkout.git", "acme/checkout"),
        ("https://gitlab.com/acme/shop/checkout", "acme/shop/checkout"),
        (" https://github.com/acme/checkout ", "acme/checkout"),
        ("https://github.com/acme", ""),
        ("/srv/git/checkout.git", ""),
        ("acme/checkout", ""),
        ("", ""),
        (None, ""),
        (17, ""),
        ("https://github.com/" + "a/" * 2_000, ""),
    ],
)
def test_the_name_in_an_address(address: object, name: str) -> None:
    assert repository_of(address) == name
