"""What several tokens of one platform see of each other's leases."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from ephemera.testing.machines_api import AppUnderTest, Subject, answered, refused

DRIVER = "mock"


@pytest.fixture
def app(subject: Subject) -> Iterator[AppUnderTest]:
    with subject.connect() as http, AppUnderTest.made(subject, http) as app:
        yield app


@pytest.fixture
def other(app: AppUnderTest) -> Iterator[httpx2.Client]:
    """A client with a token that is for the app alone."""
    token = app.post("/deploy_token", json={})["token"]
    with app.subject.connect(authorization=token) as http:
        yield http


def test_a_nonce_is_shown_to_the_one_who_took_the_lease_alone(
    app: AppUnderTest, other: httpx2.Client
) -> None:
    path = f"/machines/{app.ended()}/lease"
    taken = answered(other.post(f"/v1/apps/{app.name}{path}", json={"ttl": 60})).json()["data"]
    shown = app.get(path)["data"]
    assert shown["owner"] == taken["owner"]
    assert "nonce" not in shown
    theirs = answered(other.get(f"/v1/apps/{app.name}{path}")).json()["data"]
    assert theirs["nonce"] == taken["nonce"]


def test_whoever_is_given_the_nonce_refreshes_the_lease_of_its_owner(
    app: AppUnderTest, other: httpx2.Client
) -> None:
    machine = app.ended()
    path = f"/machines/{machine}/lease"
    taken = answered(other.post(f"/v1/apps/{app.name}{path}", json={"ttl": 60})).json()["data"]
    refused(app.ask("POST", path, json={"ttl": 90}), 409)
    shown = {"fly-machine-lease-nonce": taken["nonce"]}
    again = app.post(path, json={"ttl": 90}, headers=shown)["data"]
    assert again["owner"] == taken["owner"]
    assert again["expires_at"] > taken["expires_at"]
    refused(app.ask("POST", f"/machines/{machine}/start"), 409)
