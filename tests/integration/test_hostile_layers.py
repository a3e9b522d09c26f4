"""No layer, whatever is in it, reads or writes anything outside of its own folder."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ephemera
from ephemera.errors import ImageUnavailable
from ephemera.platform.unpacker.problems import BadLayer
from ephemera.platform.unpacker.streams import Stream, opener
from tests import images, needs
from tests.images import entry, file, folder, hard_link, symlink
from tests.unpacked import tree, unpack, unpack_entries

#: The folder that holds the `ephemera` package.
_SOURCES = Path(ephemera.__file__).parents[1]

pytestmark = [pytest.mark.root, needs.root, pytest.mark.usefixtures("untouched")]


@pytest.fixture
def untouched(tmp_path: Path) -> Iterator[None]:
    """What lies beside the folder is as it was: content, owner, mode, time, links, neighbours."""
    beside = tmp_path / "beside"
    beside.mkdir()
    secret = beside / "secret"
    secret.write_text("secret")
    before = [path.lstat() for path in (tmp_path, beside, secret)]
    yield
    after = [path.lstat() for path in (tmp_path, beside, secret)]
    assert secret.read_text() == "secret"
    assert [path.name for path in beside.iterdir()] == ["secret"]
    # Only the layer itself has come.
    assert {path.name for path in tmp_path.iterdir()} <= {"beside", "l"}
    for was, found in zip(before[1:], after[1:], strict=True):
        for fact in ("st_ino", "st_mode", "st_uid", "st_gid", "st_nlink", "st_mtime_ns"):
            assert getattr(found, fact) == getattr(was, fact), fact


@pytest.mark.parametrize(
    "name",
    ["../beside/secret", "a/../../beside/secret", "/../beside/secret", "..", "a/..", "../l2/x"],
)
@pytest.mark.parametrize("make", [file, folder, lambda name: symlink(name, "x")])
def test_names_that_lead_upwards_are_refused(name: str, make: Any, tmp_path: Path) -> None:
    with pytest.raises(ImageUnavailable, match="leads out of the image"):
        unpack_entries(tmp_path / "l", make(name))


@pytest.mark.parametrize("target", ["../beside/secret", "../../etc/passwd"])
def test_hard_links_that_lead_upwards_are_refused(target: str, tmp_path: Path) -> None:
    with pytest.raises(ImageUnavailable, match="leads out of the image"):
        unpack_entries(tmp_path / "l", hard_link("x", target))


def test_absolute_names_are_below_the_layer(tmp_path: Path) -> None:
    absolute = f"{tmp_path}/beside/secret"
    unpack_entries(tmp_path / "l", file(absolute, b"theirs"))
    assert Path(f"{tmp_path}/l/{absolute}").read_bytes() == b"theirs"


def test_a_hard_link_to_a_file_of_the_host_finds_none(tmp_path: Path) -> None:
    with pytest.raises(ImageUnavailable, match="cannot be made: no such file"):
        unpack_entries(tmp_path / "l", hard_link("x", f"{tmp_path}/beside/secret"))


@pytest.mark.parametrize("up", ["../beside", "../../../../../../../../..", "/"])
def test_symlinks_that_are_used_as_folders_lead_nowhere_else(up: str, tmp_path: Path) -> None:
    unpack_entries(tmp_path / "l", symlink("a", up), file("a/secret", b"theirs"))
    found = [path for path in (tmp_path / "l").rglob("secret") if not path.is_symlink()]
    assert [path.read_bytes() for path in found] == [b"theirs"]


def test_an_absolute_symlink_leads_into_the_layer(tmp_path: Path) -> None:
    unpack_entries(tmp_path / "l", symlink("a", f"{tmp_path}/beside"), file("a/secret", b"theirs"))
    assert Path(f"{tmp_path}/l/{tmp_path}/beside/secret").read_bytes() == b"theirs"


def test_a_symlink_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    outside = f"{tmp_path}/beside/secret"
    unpack_entries(
        tmp_path / "l",
        symlink("a", outside),
        file("a", b"theirs", uid=5, mode=0o777),
        symlink("b", "../beside/secret"),
        file("b", b"theirs"),
    )
    assert tree(tmp_path / "l") == {"a": "'theirs'", "b": "'theirs'"}


def test_a_folder_that_becomes_a_symlink_takes_nothing_with_it(tmp_path: Path) -> None:
    unpack_entries(
        tmp_path / "l",
        folder("a", uid=5, mode=0o777),
        file("a/secret", b"1"),
        symlink("a", f"{tmp_path}/beside"),
        file("a/secret", b"theirs"),
        folder("b", uid=5, mode=0o777),
        symlink("b", "../beside"),
    )
    assert (tmp_path / "l/a").is_symlink()
    assert (tmp_path / "l/b").is_symlink()


@pytest.mark.parametrize("name", ["a/.wh.secret", "a/.wh..wh..opq"])
def test_whiteouts_through_symlinks_take_nothing_away(name: str, tmp_path: Path) -> None:
    unpack_entries(tmp_path / "l", symlink("a", f"{tmp_path}/beside"), file(name))
    assert os.listxattr(tmp_path / "beside") == []


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "a/.wh..."])
def test_whiteouts_of_a_folder_itself_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ImageUnavailable, match="hides nothing"):
        unpack_entries(tmp_path / "l", file(name))


def test_links_in_circles_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageUnavailable, match="cannot be made"):
        unpack_entries(tmp_path / "l", symlink("a", "b"), symlink("b", "a"), file("a/x", b"1"))


def test_a_symlink_that_leads_through_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageUnavailable, match="cannot be made"):
        unpack_entries(tmp_path / "l", symlink("a", "/no/../.."), file("a/secret", b"theirs"))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE])
def test_devices_are_refused_by_name(kind: bytes, tmp_path: Path) -> None:
    device = entry("dev/kmem", kind, devmajor=1, devminor=2)
    with pytest.raises(ImageUnavailable, match="holds a device, 'dev/kmem', which no image may"):
        unpack_entries(tmp_path / "l", device)
    assert not any(stat.S_ISCHR(one.lstat().st_mode) for one in (tmp_path / "l").rglob("*"))


def test_a_device_that_is_overlayfs_own_whiteout_is_a_device_all_the_same(tmp_path: Path) -> None:
    with pytest.raises(ImageUnavailable, match="holds a device"):
        unpack_entries(tmp_path / "l", entry("x", tarfile.CHRTYPE, devmajor=0, devminor=0))


@pytest.mark.parametrize("kind", [b"M", b"V", b"D", b"Z"])
def test_entries_of_other_kinds_are_refused(kind: bytes, tmp_path: Path) -> None:
    with pytest.raises(ImageUnavailable, match="'x' is of an unknown kind"):
        unpack_entries(tmp_path / "l", entry("x", kind))


@pytest.mark.parametrize("name", ["n" * 256, "/".join(["n" * 200] * 30), "a\0b", "\n\x1b[31m" * 60])
def test_names_that_cannot_be_are_refused_and_shown_as_text(name: str, tmp_path: Path) -> None:
    tar = with_pax_name(name) if "\0" in name else images.archive(file(name, b"x"))
    with pytest.raises(ImageUnavailable, match="cannot be made") as refused:
        unpack(tar, tmp_path / "l")
    assert refused.value.message.isprintable()
    assert len(refused.value.message) < 600


def with_pax_name(name: str) -> bytes:
    info = file("x", b"1")[0]
    info.pax_headers = {"path": name}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(info, io.BytesIO(b"1"))
    return packed.getvalue()


def changed(tar: bytes, at: int, field: bytes) -> bytes:
    """Return an archive with other bytes in its first header, and a sum that is right again."""
    header = bytearray(tar[:512])
    header[at : at + len(field)] = field
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + tar[512:]


@pytest.mark.parametrize(
    "size", [b"77777777777\0", b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7, b"\xff" * 12]
)
@pytest.mark.parametrize("kind", [b"0", b"x", b"L"])
def test_sizes_that_cannot_be_are_an_error_and_no_memory(
    size: bytes, kind: bytes, tmp_path: Path
) -> None:
    tar = changed(changed(images.archive(file("a", b"x")), 124, size), 156, kind)
    with pytest.raises(ImageUnavailable, match="cannot be unpacked"):
        unpack(tar, tmp_path / "l")


@pytest.mark.parametrize(
    ("listed", "size"), [("0,10,5,10", "20"), ("0,10", "5"), ("0", "5"), ("0,9999", "9999")]
)
def test_a_map_of_holes_that_lies_is_an_error(listed: str, size: str, tmp_path: Path) -> None:
    info, content = file("a", b"x" * 20)
    info.pax_headers = {"GNU.sparse.map": listed, "GNU.sparse.size": size}
    with pytest.raises(ImageUnavailable, match="cannot be unpacked"):
        unpack_entries(tmp_path / "l", (info, content))


def test_a_decompression_bomb_is_noticed_before_it_has_gone_off() -> None:
    bomb = images.packed(bytes(20_000_000), "gzip")
    sent = io.BytesIO(bomb)
    head = sent.read(100)
    stream = Stream(head, sent.read, opener(head), bomb_from_bytes=1_000_000)
    stream.start()
    with pytest.raises(BadLayer, match="decompression bomb"):
        list(iter(stream.next, b""))
    assert stream.plain_bytes < 10_000_000


def test_an_attribute_whose_name_cannot_be_is_an_error_also_of_a_folder(tmp_path: Path) -> None:
    odd = folder("a", pax_headers={"SCHILY.xattr.user.a\0b": "1"})
    with pytest.raises(ImageUnavailable, match="cannot be made: "):
        unpack_entries(tmp_path / "l", odd)


def test_once_contained_nothing_of_a_layer_is_imported(tmp_path: Path) -> None:
    unpack_entries(tmp_path / "l", file("theirs.py", b"open('/was-run', 'w').close()"))
    program = (
        f"import sys; sys.path[:0] = [{str(_SOURCES)!r}, '/']\n"
        "from ephemera.platform.unpacker.main import _contain\n"
        f"_contain({str(tmp_path / 'l')!r}, as_root=True)\n"
        "import theirs"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, check=False
    )
    assert b"ModuleNotFoundError" in done.stderr
    assert not (tmp_path / "l" / "was-run").exists()


def test_headers_that_are_kept_in_memory_are_not_many(tmp_path: Path) -> None:
    one = images.archive(file("a", pax_headers={"ephemera.much": "x" * 3_000_000}))
    header = one[: one.index(b"a\0")]  # all that comes before the entry that it is about
    again = header.replace(b"ephemera.much", b"ephemera.more")
    with pytest.raises(ImageUnavailable, match="it has a header of"):
        unpack(header + again + one, tmp_path / "l")
