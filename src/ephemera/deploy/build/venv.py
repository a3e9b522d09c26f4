"""Where dependencies are in an image: a virtual environment that no program had to make.

All that makes a folder one is a file that says where Python is, and a link to it.

Source: https://docs.python.org/3/library/site.html; PEP 405
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ephemera.deploy.build.layers import FILE_MODE, FOLDER_MODE, Entry

PLACE = "opt/venv"
#: Where Docker Hub's images of Python have it, which say which one they have in this variable.
_OFFICIAL, _VERSION_VARIABLE = "/usr/local/bin", "PYTHON_VERSION="
#: Where distributions have it.
_DISTRIBUTION = "/usr/bin"

#: What installers put first into a script: a path to the Python that they ran with, plain, or
#: wrapped into `sh` where it was too long.
_FIRST_LINE = re.compile(rb"#!(?:/bin/sh\n'''exec' [^\n]*\n' '''|[^\n]*python[^\n]*)\n")


@dataclass(frozen=True, slots=True)
class Venv:
    """The virtual environment of an image.

    Attributes:
        python: The version, `3.12`.
        home: The folder of the image's Python.
    """

    python: str
    home: str

    @property
    def packages(self) -> str:
        """Where packages are."""
        return f"{PLACE}/lib/python{self.python}/site-packages"

    @property
    def programs(self) -> str:
        """Where their programs are."""
        return f"{PLACE}/bin"

    def entries(self) -> Iterator[Entry]:
        """Yield what makes it one."""
        config = f"home = {self.home}\ninclude-system-site-packages = false\n"
        yield Entry(f"{PLACE}/pyvenv.cfg", FILE_MODE, config.encode())
        for place in (PLACE, self.programs, f"{PLACE}/lib", f"{PLACE}/lib/python{self.python}"):
            yield Entry(place, FOLDER_MODE)
        yield Entry(self.packages, FOLDER_MODE)
        yield Entry(f"{self.programs}/python3", link=f"{self.home}/python3")
        yield Entry(f"{self.programs}/python", link="python3")

    def script(self, content: bytes) -> bytes:
        """Return a script that was installed elsewhere, so that it runs in the image."""
        return _FIRST_LINE.sub(f"#!/{self.programs}/python3\n".encode(), content, count=1)


def home_of_python(env: Sequence[str]) -> str:
    """Return the folder in which an image has its Python, told by its variables."""
    official = any(one.startswith(_VERSION_VARIABLE) for one in env)
    return _OFFICIAL if official else _DISTRIBUTION


def version_of_python(env: Sequence[str]) -> str:
    """Return the `3.12` of an image that says it; empty for others."""
    said = next((one for one in env if one.startswith(_VERSION_VARIABLE)), "")
    return ".".join(said.removeprefix(_VERSION_VARIABLE).split(".")[:2])
