from __future__ import annotations

import pytest

from ephemera.deploy.build.installing import Target
from ephemera.deploy.build.markers import applied

HERE = Target("3.12", "arm64").environment


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("flask==3.1.0", "flask==3.1.0"),
        ("flask==3.1.0 ; python_version >= '3.9' --hash=sha256:aa --hash=sha256:bb",
         "flask==3.1.0 --hash=sha256:aa --hash=sha256:bb"),
        ("tomli==2.0 ; python_version < '3.11'", ""),
        ("async-timeout==5 ; python_full_version < '3.12.3'", ""),
        ("greenlet==3 ; platform_machine == 'aarch64'", "greenlet==3"),
        ("colorama==0.4 ; sys_platform == 'win32'", ""),
        ("uvicorn[standard]==0.35", "uvicorn[standard]==0.35"),
        ("-e ./lib", "-e ./lib"),
        ("# comment", "# comment"),
    ],
)  # fmt: skip
def test_what_is_for_the_image_is_left_without_its_conditions(line: str, left: str) -> None:
    assert applied(line, HERE).rstrip("\n") == left


def test_lines_that_go_on_are_put_together() -> None:
    text = "flask==3.1.0 ; os_name == 'posix' \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    assert applied(text, HERE) == "flask==3.1.0 --hash=sha256:aa --hash=sha256:bb\n"
