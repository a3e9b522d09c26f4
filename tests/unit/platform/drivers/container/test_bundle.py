from __future__ import annotations

from typing import Any

from ephemera.platform.drivers.container import bundle, seccomp
from ephemera.platform.drivers.container.bundle import Filter


def _container(filter_: Filter) -> dict[str, Any]:
    return bundle.config(
        {}, "/root", "name", {}, [], filter_, shm_mb=64, cgroup_version=1
    )  # fmt: skip


def test_a_compiled_filter_is_handed_on_as_it_is() -> None:
    found = _container(Filter("AAAA", {}))
    assert found["annotations"] == {"run.oci.seccomp_bpf_data": "AAAA"}
    assert "seccomp" not in found["linux"]


def test_a_filter_that_is_not_compiled_is_given_as_text() -> None:
    found = _container(Filter("", seccomp.section()))
    assert found["linux"]["seccomp"] == seccomp.section()
    assert "annotations" not in found


def test_where_calls_cannot_be_filtered_crun_is_told_of_no_filter() -> None:
    found = _container(Filter("", {}))  # an empty one it would refuse, and with it every machine
    assert "seccomp" not in found["linux"]
    assert "annotations" not in found
