from __future__ import annotations

import os
from pathlib import Path

import pytest

from ephemera.platform.drivers.container.inroot import Owner, Root
from ephemera.platform.drivers.container.users import User, find
from ephemera.platform.drivers.monitoring.program import NotStarted
from tests import needs

pytestmark = needs.linux

_PASSWD = """root:x:0:0:root:/root:/bin/sh
# a remark:x:9:9::/:
app:x:1000:1001:App:/home/app:/bin/sh
12:x:34:56::/named-by-a-number:/bin/sh
broken:x
odd:x:notanumber:1::/:
homeless:x:7:7:::
"""
_GROUP = "root:x:0:\napp:x:1001:\ndisk:x:6:other,app\n77:x:88:\nwide:x:5:appendix\nbad:x:z:app\n"
_GROUP += "large:x:65536:app\nhuge:x:4294967297:app\n"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text(_PASSWD)
    (tmp_path / "etc" / "group").write_text(_GROUP)
    return tmp_path


def _find(image: Path, wanted: str) -> User:
    root = Root(str(image), Owner(os.getuid(), os.getgid()))
    try:
        return find(root, wanted)
    finally:
        root.close()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("", User(0, 0, (), "/root")),
        ("app", User(1000, 1001, (6,), "/home/app")),
        ("1000", User(1000, 1001, (6,), "/home/app")),
        ("app:disk", User(1000, 6, (), "/home/app")),
        ("app:6", User(1000, 6, (), "/home/app")),
        ("app:77", User(1000, 88, (), "/home/app")),
        ("app:", User(1000, 1001, (6,), "/home/app")),
        ("12", User(34, 56, (), "/named-by-a-number")),
        ("4242", User(4242, 0, (), "/")),
        ("4242:43", User(4242, 43, (), "/")),
        (":disk", User(0, 6, (), "/root")),
        ("homeless", User(7, 7, (), "/")),
        ("65535:65535", User(65535, 65535, (), "/")),
    ],
)
def test_users_are_found_by_name_and_by_number(image: Path, wanted: str, expected: User) -> None:
    assert _find(image, wanted) == expected


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ("ghost", "no user 'ghost'"),
        ("app:ghost", "no group 'ghost'"),
        ("broken", "no user 'broken'"),
        ("odd", "not a number"),
        ("65536", "0 to 65535"),
        ("app:65536", "0 to 65535"),
        ("-1", "no user '-1'"),
        ("²", "no user"),
    ],
)
def test_users_that_there_are_not_are_refused(image: Path, wanted: str, why: str) -> None:
    with pytest.raises(NotStarted, match=why):
        _find(image, wanted)


def test_an_image_without_lists_has_users_by_number_alone(tmp_path: Path) -> None:
    assert _find(tmp_path, "5:6") == User(5, 6, (), "/")
    with pytest.raises(NotStarted, match="no user 'app'"):
        _find(tmp_path, "app")


def test_lists_that_are_no_text_or_no_files_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "etc" / "passwd").mkdir(parents=True)
    os.mkfifo(tmp_path / "etc" / "group")
    assert _find(tmp_path, "5") == User(5, 0, (), "/")
    (tmp_path / "etc" / "passwd").rmdir()
    (tmp_path / "etc" / "passwd").write_bytes(b"\xff\xfe\0me:x:1:2::/h:\nme:x:3:4::/h:\n")
    assert _find(tmp_path, "me").uid == 3


class TestTheInside:
    """Paths are resolved as if the image's root were the root."""

    def _root(self, folder: Path) -> Root:
        return Root(str(folder), Owner(os.getuid(), os.getgid()))

    def test_links_stay_inside(self, tmp_path: Path) -> None:
        inside, outside = tmp_path / "in", tmp_path / "out"
        (inside / "real").mkdir(parents=True)
        outside.mkdir()
        (inside / "a").symlink_to("../../../../real")
        (inside / "b").symlink_to(outside)
        root = self._root(inside)
        root.write("/a/file", b"text", 0o640)
        assert (inside / "real" / "file").read_text() == "text"
        assert (inside / "real" / "file").stat().st_mode & 0o7777 == 0o640
        with pytest.raises(OSError, match="/b"):
            root.write("/b/file", b"text", 0o640)
        assert list(outside.iterdir()) == []
        root.close()

    def test_a_link_in_the_place_of_the_file_is_replaced(self, tmp_path: Path) -> None:
        inside, outside = tmp_path / "in", tmp_path / "out"
        inside.mkdir()
        outside.write_text("untouched")
        (inside / "file").symlink_to(outside)
        root = self._root(inside)
        assert root.read("/file") == ""
        root.write("/file", b"mine", 0o600)
        assert (inside / "file").read_text() == root.read("/file") == "mine"
        assert outside.read_text() == "untouched"
        root.close()

    @pytest.mark.parametrize("path", ["/", "", "/a/", "/a/..", "/a/../b", "."])
    def test_what_is_no_path_of_a_file_is_refused(self, tmp_path: Path, path: str) -> None:
        root = self._root(tmp_path)
        with pytest.raises(OSError, match=r"'"):
            root.write(path, b"", 0o600)
        root.close()

    def test_a_folder_or_a_file_in_the_way_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").touch()
        root = self._root(tmp_path)
        for path in ("/folder", "/file/below"):
            with pytest.raises(OSError, match=r"\w"):
                root.write(path, b"", 0o600)
        assert (tmp_path / "file").is_file()
        root.close()
