"""What this computer can do is really tried, and nothing is left of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ephemera.errors import DriverError
from ephemera.platform.drivers.container import host as host_module
from ephemera.platform.drivers.container.host import probe
from tests import needs

pytestmark = needs.linux

_PROBE = """
import dataclasses, json, sys
from pathlib import Path
from ephemera.platform.drivers.container.host import probe
print(json.dumps(dataclasses.asdict(probe(Path(sys.argv[1])))))
"""
#: Nobody, who may read what root may: the interpreter may be in root's own folder.
_AS_NOBODY = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
]


@pytest.mark.crun
@pytest.mark.root
@needs.root
@needs.crun
@needs.nft
@needs.ext4
def test_root_finds_all_that_the_driver_uses(tmp_path: Path) -> None:
    found = probe(tmp_path)
    assert found.reasons == {}
    assert found.overlay
    assert found.idmap
    assert found.crun_version[0].isdigit()
    assert {"memory", "cpu", "pids", "freezer"} <= set(found.controllers)


#: Has an overlay as the root, as in a container of Docker, and the folder `$HOME` as it is.
_ON_AN_OVERLAY = """
mount -t tmpfs tmpfs "$OVERLAY"
mkdir "$OVERLAY/upper" "$OVERLAY/work" "$OVERLAY/root"
layers="lowerdir=/,upperdir=$OVERLAY/upper,workdir=$OVERLAY/work"
mount -t overlay -o "$layers" overlay "$OVERLAY/root"
for one in /proc /sys /dev "$HOME"; do mount --rbind "$one" "$OVERLAY/root$one"; done
cd "$OVERLAY/root"
pivot_root . .
umount -l .
exec "$@"
"""


@pytest.mark.root
@needs.root
def test_files_of_this_computer_that_cannot_have_other_owners_are_told_of(tmp_path: Path) -> None:
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    home.mkdir()
    scratch.mkdir()
    command = [sys.executable, "-c", _PROBE, str(home)]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", _ON_AN_OVERLAY, "sh", *command],
        env={**os.environ, "HOME": str(home), "OVERLAY": str(scratch)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["overlay"]
    assert found["user_namespaces"]
    assert not found["idmap"]
    assert "mount_setattr /: " in found["reasons"]["idmap"]


@pytest.mark.root
@needs.root
def test_somebody_else_than_root_is_told_what_is_not_allowed(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    done = subprocess.run(
        [*_AS_NOBODY, sys.executable, "-c", _PROBE, str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert not found["is_root"]
    assert not found["idmap"]
    assert found["reasons"]["idmap"]
    assert found["controllers"] == {}
    assert list(tmp_path.iterdir()) == []


#: In namespaces of its own: other tests mount and connect things at the same time. What they remove
#: is gone from here too, with all that was mounted on it.
_PROBE_AND_LOOK = """
import os, socket, sys
from pathlib import Path
from ephemera.platform.drivers.container.host import probe

def mounts(whose: int | str = "self") -> dict[str, str]:
    lines = Path(f"/proc/{whose}/mountinfo").read_text().splitlines()
    fields = (line.split() for line in lines)
    # not of what: that changes when it is removed
    return {" ".join((*one[:3], *one[4:])): one[4] for one in fields}

def seen(folder: Path) -> tuple[object, ...]:
    return socket.if_nameindex(), list(folder.iterdir())

folder = Path(sys.argv[1])
before, mounted_before = seen(folder), mounts()
print(probe(folder).overlay)
after, mounted_after = seen(folder), mounts()
assert after == before, (before, after)
assert mounted_after.keys() <= mounted_before.keys(), (mounted_before, mounted_after)
lost = {place for one, place in mounted_before.items() if one not in mounted_after}
assert lost.isdisjoint(mounts(os.getppid()).values()), lost
"""


@pytest.mark.root
@needs.root
def test_nothing_is_left_of_what_was_tried(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "--mount", "--net", sys.executable, "-c", _PROBE_AND_LOOK, str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True\n"


def test_a_state_folder_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    probe(tmp_path / "not" / "yet")
    assert list(tmp_path.iterdir()) == []


def test_programs_that_are_not_there_are_found_to_lack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert probe(tmp_path).crun == ""


def test_a_crun_that_does_not_start_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "crun"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = probe(tmp_path)
    assert (found.crun, found.crun_version) == ("", "")


def test_a_program_that_cannot_try_anything_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_module, "_PROGRAM", "raise SystemExit('no syscalls here')")
    with pytest.raises(DriverError, match="cannot be tried: no syscalls here"):
        probe(tmp_path)


def test_a_computer_on_which_nothing_can_be_tried_in_time_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_module, "_PROGRAM", "import time; time.sleep(100)")
    monkeypatch.setattr(host_module, "_PROBED_WITHIN_S", 0.01)
    with pytest.raises(DriverError, match=r"it takes more than 0\.01 s") as refused:
        probe(tmp_path)
    assert "less to do" in refused.value.hint
