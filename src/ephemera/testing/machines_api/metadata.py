"""Metadata: the labels by which a client finds its machines again."""

from __future__ import annotations

from typing import Any

import pytest

from ephemera.testing.machines_api.subject import AppUnderTest, Contract, refused


class MetadataContract(Contract):
    """The six calls on a machine's metadata."""

    @pytest.fixture
    def machine(self, app: AppUnderTest) -> str:
        """A machine with two keys."""
        return app.ended(metadata={"a": "1", "b": "2"})

    def _all(self, app: AppUnderTest, machine: str) -> dict[str, str]:
        return dict(app.get(f"/machines/{machine}/metadata"))

    def _write(self, app: AppUnderTest, method: str, machine: str, **body: Any) -> None:
        answer = app.ask(method, f"/machines/{machine}/metadata", json=body)
        assert (answer.status_code, answer.text) == (204, "")

    def test_all_of_it_is_one_flat_object(self, app: AppUnderTest, machine: str) -> None:
        assert self._all(app, machine) == {"a": "1", "b": "2"}

    def test_one_key_is_read(self, app: AppUnderTest, machine: str) -> None:
        assert app.get(f"/machines/{machine}/metadata/b") == {"value": "2"}

    def test_a_key_that_is_not_there_is_not_found(self, app: AppUnderTest, machine: str) -> None:
        refused(app.ask("GET", f"/machines/{machine}/metadata/c"), 404)

    @pytest.mark.parametrize("key", ["c", "a", "with.dots", "with space", "with/slash", "ключ"])
    def test_a_key_is_set_whatever_it_is_called(
        self, app: AppUnderTest, machine: str, key: str
    ) -> None:
        path = f"/machines/{machine}/metadata/{key.replace('/', '%2F')}"
        answer = app.ask("POST", path, json={"value": "new ü"})
        if key == "with/slash" and not answer.is_success:
            refused(answer, 400, 404, 405)
            return
        assert (answer.status_code, answer.text) == (204, "")
        assert app.get(path) == {"value": "new ü"}
        assert self._all(app, machine)[key] == "new ü"

    def test_a_deleted_key_is_gone_and_deleting_again_is_harmless(
        self, app: AppUnderTest, machine: str
    ) -> None:
        path = f"/machines/{machine}/metadata/a"
        assert app.ask("DELETE", path).status_code == 204
        assert self._all(app, machine) == {"b": "2"}
        assert app.ask("DELETE", path).status_code in (204, 404)

    def test_a_put_replaces_all_of_it(self, app: AppUnderTest, machine: str) -> None:
        self._write(app, "PUT", machine, metadata={"c": "3"})
        assert self._all(app, machine) == {"c": "3"}

    def test_a_patch_changes_only_what_it_names(self, app: AppUnderTest, machine: str) -> None:
        self._write(app, "PATCH", machine, metadata={"b": "two", "c": "3"})
        assert self._all(app, machine) == {"a": "1", "b": "two", "c": "3"}

    @pytest.mark.parametrize("nothing", [None, ""])
    def test_a_patch_with_nothing_removes_the_key(
        self, app: AppUnderTest, machine: str, nothing: str | None
    ) -> None:
        self._write(app, "PATCH", machine, metadata={"a": nothing})
        assert self._all(app, machine) == {"b": "2"}

    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    def test_a_write_to_a_version_that_has_passed_is_refused(
        self, app: AppUnderTest, machine: str, method: str
    ) -> None:
        body = {"metadata": {"a": "x"}, "machine_version": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
        refused(app.ask(method, f"/machines/{machine}/metadata", json=body), 412)
        assert self._all(app, machine) == {"a": "1", "b": "2"}
        version = app.get(f"/machines/{machine}")["instance_id"]
        self._write(app, method, machine, metadata={"a": "x"}, machine_version=version)
        assert self._all(app, machine)["a"] == "x"

    def test_metadata_is_part_of_the_config_and_makes_no_new_version(
        self, app: AppUnderTest, machine: str
    ) -> None:
        before = app.get(f"/machines/{machine}")
        app.ask("POST", f"/machines/{machine}/metadata/c", json={"value": "3"})
        after = app.get(f"/machines/{machine}")
        assert after["config"]["metadata"] == {"a": "1", "b": "2", "c": "3"}
        assert after["instance_id"] == before["instance_id"]

    def test_a_lease_does_not_stand_in_the_way(self, app: AppUnderTest, machine: str) -> None:
        app.post(f"/machines/{machine}/lease", json={"ttl": 60})
        self._write(app, "PATCH", machine, metadata={"a": "leased"})
        assert self._all(app, machine)["a"] == "leased"

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/k", {"value": 1}),
            ("POST", "/k", {"value": None}),
            ("POST", "/k", ["value"]),
            ("PUT", "", {"metadata": {"k": 1}}),
            ("PUT", "", {"metadata": ["k"]}),
            ("PATCH", "", {"metadata": {"k": {}}}),
            ("PATCH", "", "metadata"),
        ],
    )
    def test_a_value_that_is_no_text_is_refused(
        self, app: AppUnderTest, machine: str, method: str, path: str, body: Any
    ) -> None:
        refused(app.ask(method, f"/machines/{machine}/metadata{path}", json=body), 400)
        assert self._all(app, machine) == {"a": "1", "b": "2"}

    def test_metadata_that_is_too_long_is_refused_and_changes_nothing(
        self, app: AppUnderTest
    ) -> None:
        machine = app.ended(metadata={"kept": "yes"})
        path = f"/machines/{machine}/metadata"
        body = {"metadata": {"k": "x" * 100_000}}
        refused(app.ask("PATCH", path, json=body), 400, 413, 422)
        refused(app.ask("POST", f"{path}/k", json={"value": "x" * 100_000}), 400, 413, 422)
        assert app.get(path).get("kept") == "yes"
        assert "k" not in app.get(path)
