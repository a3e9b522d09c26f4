"""A project to be built in tests, with dependencies that need no network.

```python
project = project_in(tmp_path)                    # app.py, requirements.txt, two wheels
built, told = project.build(registry.push("base", base()), to=registry.address)
```
"""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ephemera.deploy.build import BuildRequest, Built, Destination, build
from ephemera.wire.ids import new_ulid
from tests import images
from tests.wheels import wheel

VERSION = ".".join(platform.python_version_tuple()[:2])
_APP = "import greeting\nprint(greeting.WORD)\n"


def base(**config: Any) -> images.Built:
    """Return an image that says it has the Python that runs here, and has not."""
    env = ["PATH=/usr/local/bin:/bin", f"PYTHON_VERSION={platform.python_version()}"]
    return images.build(images.layer(images.file("base", b"base")), env=env, **config)


@dataclass(frozen=True)
class Project:
    """A project, and a state folder to build it with."""

    folder: Path
    home: Path
    #: Where packages are that may be depended on.
    wheels: Path
    #: No other test has one of this name.
    app: str

    def request(self, base: str, to: str, **more: Any) -> BuildRequest:
        """Return what is to be built, and pushed to a registry's address."""
        given: dict[str, Any] = {
            "folder": self.folder,
            "app": self.app,
            "release_id": new_ulid(),
            "start": ("python", "app.py"),
            "home": self.home,
            "destination": Destination.platform(to, "a-token"),
            "driver": "container",
            "python": VERSION,
            "base": base,
            "architecture": images.HERE,
        }
        return BuildRequest(**{**given, **more})

    def build(self, base: str, to: str, **more: Any) -> tuple[Built, list[str]]:
        """Build, and return what came of it and what was said meanwhile."""
        told: list[str] = []
        return build(self.request(base, to, **more), told.append), told

    def write(self, name: str, text: str) -> None:
        """Put a file into the project."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def require(self, *lines: str) -> None:
        """Have it depend on packages, which are looked for among the wheels only."""
        self.write(
            "requirements.txt", "\n".join(["--no-index", f"--find-links {self.wheels}", *lines, ""])
        )

    def called(self, app: str) -> Project:
        """Return it as another app."""
        return replace(self, app=app)


def project_in(place: Path, shared: Path | None = None) -> Project:
    """Make a project in a folder: it depends on one package, which has a program.

    Args:
        shared: A folder that is there, for the wheels and for layers that are kept: to install
            the same dependencies once for several tests.
    """
    kept = shared or place
    made = Project(
        place / "project", kept / "home", kept / "wheels", app=f"app-{new_ulid()[-8:]}".lower()
    )
    made.folder.mkdir(parents=True)
    made.wheels.mkdir(exist_ok=True)
    files = {"greeting.py": "WORD = 'hello'\n\ndef main():\n    print(WORD)\n"}
    wheel(made.wheels, "greeting", files, scripts={"greet": "greeting:main"})
    made.write("app.py", _APP)
    made.require("greeting==1.0")
    return made
