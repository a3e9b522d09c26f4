"""Layers become files as overlayfs reads them, by the real process that does it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ephemera.errors import ImageUnavailable
from ephemera.platform.images import unpacking
from tests import images, needs
from tests.images import entry, file, folder, hard_link, symlink
from tests.unpacked import is_opaque, tree, unpack, unpack_entries

pytestmark = [pytest.mark.root, needs.root, needs.zstd]


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
@pytest.mark.parametrize("piece_bytes", [1, 1000, 1 << 20])
def test_a_layer_is_unpacked_and_weighed(
    compression: str, piece_bytes: int, tmp_path: Path
) -> None:
    tar = images.archive(folder("a"), file("a/b", b"hello"), symlink("c", "a/b"))
    sent = images.packed(tar, compression)
    done = unpack(sent, tmp_path / "l", piece_bytes=piece_bytes)
    assert tree(tmp_path / "l") == {"a": "folder", "a/b": "'hello'", "c": "-> a/b"}
    assert done.digest == "sha256:" + hashlib.sha256(sent).hexdigest()
    assert done.diff_id == "sha256:" + hashlib.sha256(tar).hexdigest()
    assert (done.entries, done.size_bytes) == (3, 5)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_layer_may_be_packed_in_several_streams_one_after_the_other(
    compression: str, tmp_path: Path
) -> None:
    tar = images.archive(file("a", os.urandom(300_000)), file("b", b"x"))
    sent = b"".join(
        images.packed(tar[at : at + 100_000], compression) for at in range(0, len(tar), 100_000)
    )
    padding = bytes(700) if compression == "gzip" else b""
    done = unpack(sent + padding, tmp_path / "l", piece_bytes=997)
    assert done.diff_id == "sha256:" + hashlib.sha256(tar).hexdigest()


@pytest.mark.parametrize("compression", ["", "gzip"])
@pytest.mark.parametrize("size_bytes", [0, 1024])
def test_an_empty_layer_is_one(size_bytes: int, compression: str, tmp_path: Path) -> None:
    assert unpack(images.packed(bytes(size_bytes), compression), tmp_path / "l").entries == 0


def test_an_archive_may_end_without_saying_so(tmp_path: Path) -> None:
    tar = images.archive(file("a", b"x")).rstrip(b"\0").ljust(1024, b"\0")
    assert len(tar) == 1024
    assert unpack(tar, tmp_path / "l").diff_id == "sha256:" + hashlib.sha256(tar).hexdigest()


def test_what_follows_the_end_of_an_archive_counts_for_its_digest(tmp_path: Path) -> None:
    tar = images.archive(file("a")) + b"more" * 1000
    done = unpack(tar, tmp_path / "l")
    assert done.diff_id == "sha256:" + hashlib.sha256(tar).hexdigest()


def test_owners_modes_and_times_are_kept(tmp_path: Path) -> None:
    unpack_entries(
        tmp_path / "l",
        folder(".", mode=0o1711, uid=5, gid=6),
        folder("d", mode=0o2750, uid=7, gid=8, mtime=1_000_000_000.25),
        file("d/s", b"#!", mode=0o4755, uid=1000, gid=100, mtime=1_500_000_000),
        file("d/none", b"x", mode=0),
        symlink("d/link", "nowhere", uid=9, gid=10, mtime=1_400_000_000),
        file("far", uid=2**31, gid=4_000_000_000, mtime=2**33),
    )
    root, inner, setuid, none, link, far = (
        (tmp_path / "l" / name).lstat() for name in (".", "d", "d/s", "d/none", "d/link", "far")
    )
    assert (stat.S_IMODE(root.st_mode), root.st_uid, root.st_gid) == (0o1711, 5, 6)
    assert (stat.S_IMODE(inner.st_mode), inner.st_uid, inner.st_gid) == (0o2750, 7, 8)
    assert inner.st_mtime_ns == 1_000_000_000_250_000_000
    assert (stat.S_IMODE(setuid.st_mode), setuid.st_uid, setuid.st_gid) == (0o4755, 1000, 100)
    assert setuid.st_mtime == 1_500_000_000
    assert stat.S_IMODE(none.st_mode) == 0
    assert (link.st_uid, link.st_gid, link.st_mtime) == (9, 10, 1_400_000_000)
    assert (far.st_uid, far.st_gid, far.st_mtime) == (2**31, 4_000_000_000, 2**33)


def test_folders_that_are_not_described_are_made_for_root(tmp_path: Path) -> None:
    unpack_entries(tmp_path / "l", file("a/b/c", b"x", uid=5))
    for path in ("a", "a/b"):
        found = (tmp_path / "l" / path).stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o755, 0)


def test_extended_attributes_are_kept_but_not_those_of_overlayfs(tmp_path: Path) -> None:
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    attributes = {
        "SCHILY.xattr.security.capability": capability.decode("utf-8", "surrogateescape"),
        "SCHILY.xattr.user.note": "two words\nand = more",
        "SCHILY.xattr.trusted.overlay.opaque": "y",
        "SCHILY.xattr.trusted.overlay.redirect": "/etc",
        "SCHILY.xattr.user.overlay.whiteout": "y",
        "SCHILY.xattr.security.selinux": "system_u:object_r:bin_t:s0",
    }
    unpack_entries(
        tmp_path / "l",
        file("ping", b"x", uid=3, mode=0o755, pax_headers=attributes),
        folder("d", pax_headers=attributes),
    )
    for path in ("ping", "d"):
        names = os.listxattr(tmp_path / "l" / path)
        assert sorted(names) == ["security.capability", "user.note"]
    assert os.getxattr(tmp_path / "l/ping", "security.capability") == capability
    assert os.getxattr(tmp_path / "l/ping", "user.note") == b"two words\nand = more"


def test_hard_links_are_the_same_file(tmp_path: Path) -> None:
    unpack_entries(
        tmp_path / "l",
        file("a/one", b"x"),
        hard_link("two", "a/one"),
        hard_link("/three", "./a/one"),
        hard_link("a/one", "a/one"),
        symlink("s", "elsewhere"),
        hard_link("t", "s"),
    )
    found = [(tmp_path / "l" / name).stat().st_ino for name in ("a/one", "two", "three")]
    assert len(set(found)) == 1
    assert (tmp_path / "l/t").readlink() == Path("elsewhere")


def test_fifos_are_made(tmp_path: Path) -> None:
    unpack_entries(tmp_path / "l", entry("pipe", tarfile.FIFOTYPE, mode=0o620, uid=4))
    found = (tmp_path / "l/pipe").lstat()
    assert stat.S_ISFIFO(found.st_mode)
    assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o620, 4)


LONG = "/".join(["a folder with a rather long name"] * 20) + "/and a file with an ünïcode name"


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_targets_are_read_in_both_forms(form: int, tmp_path: Path) -> None:
    tar = images.archive(file(LONG, b"far"), hard_link("h", LONG), symlink("s", LONG), form=form)
    unpack(tar, tmp_path / "l")
    assert (tmp_path / "l" / LONG).read_bytes() == b"far"
    assert (tmp_path / "l/h").read_bytes() == b"far"
    assert (tmp_path / "l/s").readlink() == Path(LONG)


def test_names_split_in_two_by_ustar_are_put_together(tmp_path: Path) -> None:
    name = "/".join(["folder"] * 20) + "/file"
    unpack(images.archive(file(name, b"x"), form=tarfile.USTAR_FORMAT), tmp_path / "l")
    assert (tmp_path / "l" / name).read_bytes() == b"x"


def test_names_that_are_not_unicode_are_kept(tmp_path: Path) -> None:
    unpack_entries(tmp_path / "l", file("caf\udce9", b"x"))
    assert [os.fsencode(path.name) for path in (tmp_path / "l").iterdir()] == [b"caf\xe9"]


@pytest.mark.parametrize("form", ["gnu", "0.0", "0.1", "1.0"])
def test_files_with_holes_are_read_in_all_four_forms(form: str, tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as out:
        for at in range(60):
            out.seek(at * 65536)
            out.write(b"%d" % at)
        out.truncate(8_000_000)
    options = ["--format=gnu"] if form == "gnu" else ["--format=posix", f"--sparse-version={form}"]
    tar = subprocess.run(
        ["tar", "-c", "--sparse", *options, "-C", str(tmp_path), "sparse"],
        capture_output=True,
        check=True,
    ).stdout
    assert len(tar) < 1_000_000
    unpack(tar, tmp_path / "l")
    unpacked = tmp_path / "l/sparse"
    assert unpacked.read_bytes() == sparse.read_bytes()
    assert unpacked.stat().st_blocks * 512 < 2_000_000


def test_global_headers_hold_for_all_that_follow(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", pax_headers={"uid": "77"}) as tar:
        for name in ("a", "b"):
            tar.addfile(entry(name))
    unpack(packed.getvalue(), tmp_path / "l")
    assert [(tmp_path / "l" / name).stat().st_uid for name in "ab"] == [77, 77]


# what a layer takes away


def test_whiteouts_hide_what_is_below(tmp_path: Path) -> None:
    unpack_entries(
        tmp_path / "l",
        file("etc/.wh.passwd"),
        file(".wh.root"),
        file("var/.wh..wh..opq"),
        file("var/new", b"1"),
        file(".wh..wh.plnk"),
    )
    assert tree(tmp_path / "l") == {
        "etc": "folder",
        "etc/passwd": "whiteout",
        "root": "whiteout",
        "var": "opaque folder",
        "var/new": "'1'",
    }


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("own", "left"),
    [
        ([file("x", b"own")], {"x": "'own'"}),
        ([symlink("x", "own")], {"x": "-> own"}),
        ([folder("x"), file("x/y", b"own")], {"x": "opaque folder", "x/y": "'own'"}),
        ([file("x/y", b"own")], {"x": "opaque folder", "x/y": "'own'"}),
    ],
)
def test_a_whiteout_never_hides_what_its_own_layer_has(
    first: bool, own: list[Any], left: dict[str, str], tmp_path: Path
) -> None:
    whiteout = file(".wh.x")
    entries = [whiteout, *own] if first else [*own, whiteout]
    unpack_entries(tmp_path / "l", *entries)
    assert tree(tmp_path / "l") == left


def test_overlayfs_reads_layers_as_they_were_meant(tmp_path: Path) -> None:
    unpack_entries(
        tmp_path / "below",
        file("kept", b"1"), file("gone", b"1"), file("d/old", b"1"), file("e/old", b"1"),
    )  # fmt: skip
    unpack_entries(
        tmp_path / "above",
        file(".wh.gone"), file("d/.wh..wh..opq"), file("d/new", b"2"), file("e/new", b"2"),
    )  # fmt: skip
    seen = tmp_path / "seen"
    seen.mkdir()
    layers = f"lowerdir={tmp_path}/above:{tmp_path}/below"
    # A mount namespace of its own, so that nothing can be left mounted.
    listed = subprocess.run(
        [
            "unshare", "-m", "sh", "-ec",
            f"mount -t overlay none -o {layers} {seen}; cd {seen}; find . -type f | sort",
        ],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert listed.split() == ["./d/new", "./e/new", "./e/old", "./kept"]


def test_without_root_owners_are_our_own_and_all_else_is_the_same(tmp_path: Path) -> None:
    """In a user namespace, in which root is called 1000 and may do nothing."""
    tar = images.archive(
        folder("d", mode=0o555, uid=7),
        file("d/setuid", b"1", mode=0o4755, uid=5),
        file(".wh.gone"),
        file("e/.wh..wh..opq"),
        entry("p", tarfile.FIFOTYPE),
    )
    (tmp_path / "l").mkdir()
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-user=1000", "--map-group=1000"),
            *unpacking.command(tmp_path / "l"),
        ],
        input=tar,
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["entries"] == 5
    found = {path.name: path.lstat() for path in (tmp_path / "l").rglob("*")}
    assert {one.st_uid for one in found.values()} == {os.getuid()}
    assert stat.S_IMODE(found["d"].st_mode) == 0o555
    assert stat.S_IMODE(found["setuid"].st_mode) == 0o4755
    assert stat.S_ISCHR(found["gone"].st_mode)
    assert os.getxattr(tmp_path / "l/e", "user.overlay.opaque") == b"y"


# two entries of one name


@pytest.mark.parametrize(
    ("entries", "left"),
    [
        ([file("a", b"1"), file("a", b"2")], {"a": "'2'"}),
        ([symlink("a", "b"), file("a", b"2")], {"a": "'2'"}),
        ([file("a", b"1"), symlink("a", "b")], {"a": "-> b"}),
        ([folder("a"), file("a/b", b"1"), folder("a")], {"a": "folder", "a/b": "'1'"}),
        ([folder("a"), file("a/b", b"1"), file("a", b"2")], {"a": "'2'"}),
        ([file("a", b"1"), folder("a"), file("a/b", b"1")], {"a": "folder", "a/b": "'1'"}),
        ([symlink("a", "b"), folder("b"), folder("a")], {"a": "folder", "b": "folder"}),
        ([file("a/b/c", b"1"), symlink("a", "d")], {"a": "-> d"}),
        ([file("a", b"1"), file("a/b", b"2")], {"a": "folder", "a/b": "'2'"}),
    ],
)
def test_of_two_entries_with_one_name_the_later_counts(
    entries: list[Any], left: dict[str, str], tmp_path: Path
) -> None:
    unpack_entries(tmp_path / "l", *entries)
    assert tree(tmp_path / "l") == left


def test_a_folder_of_great_depth_can_be_replaced(tmp_path: Path) -> None:
    deep = "/".join("d" * 1900)
    unpack_entries(tmp_path / "l", file(deep), file("d", b"flat"))
    assert tree(tmp_path / "l") == {"d": "'flat'"}


# what is not an archive


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda sent: sent[: len(sent) // 2], "ends in the middle"),
        (lambda sent: sent[:30] + b"\0\0\0\0" + sent[34:], "cannot be decompressed|not a tar"),
        (lambda sent: sent + b"rubbish", "cannot be decompressed"),
        (lambda sent: b"no archive" * 100, "not a tar archive"),
        (lambda sent: images.packed(b"no archive" * 100, "gzip"), "not a tar archive"),
        (lambda sent: images.archive(file("a", b"x" * 9000))[:5000], "ends in the middle"),
    ],
)
def test_a_broken_layer_is_refused(damage: Any, said: str, tmp_path: Path) -> None:
    sent = images.packed(images.archive(file("a", os.urandom(5000))), "gzip")
    with pytest.raises(ImageUnavailable, match=said):
        unpack(damage(sent), tmp_path / "l")


def test_opaque_folders_are_seen_by_this_test(tmp_path: Path) -> None:
    """`tree` would not notice its absence otherwise."""
    assert not is_opaque(tmp_path)
    os.setxattr(tmp_path, "trusted.overlay.opaque", b"y")
    assert is_opaque(tmp_path)
