"""What is to be built, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ephemera.errors import ConfigError

#: Called with each line there is to say about a build that is under way.
Tell = Callable[[str], None]

#: Where images go that machines of the platform run; see `Destination`.
PLATFORM_REGISTRY = "registry.localhost"
FLY_REGISTRY = "registry.fly.io"
#: Any user will do: the password says who it is.
_USER = "x"


def shown_size(size_bytes: int) -> str:
    """Return a size for a reader: `12 kB`, `3.4 MB`."""
    if size_bytes < 1_000_000:
        return f"{-(-size_bytes // 1000)} kB"
    return f"{size_bytes / 1_000_000:.1f} MB"


@dataclass(frozen=True, slots=True)
class Destination:
    """The registry that an image is pushed to.

    Attributes:
        name: What images in it are called in the configs of machines, `registry.localhost`.
        address: Where it is, `HOST[:PORT]`. Spoken to in TLS, but on this computer.
        token: The API token, which is the password.
    """

    name: str
    address: str
    token: str = field(repr=False)
    user: str = _USER

    @classmethod
    def fly(cls, token: str) -> Destination:
        """Return Fly.io's registry."""
        return cls(FLY_REGISTRY, FLY_REGISTRY, token)

    @classmethod
    def platform(cls, address: str, token: str) -> Destination:
        """Return the registry of the platform whose API is at `HOST:PORT`."""
        return cls(PLATFORM_REGISTRY, address, token)


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """How a `Dockerfile` is to be built.

    Attributes:
        path: The file.
        args: What its `ARG`s are.
        target: The stage that is wanted; the last one where it is empty.
    """

    path: Path
    args: Mapping[str, str] = field(default_factory=dict)
    target: str = ""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What is to be built, and for where.

    Attributes:
        folder: The project.
        app: The app's name, which is also the name of its images.
        release_id: What tells this image from the app's others; a ULID.
        start: The program that serves, `("gunicorn", "app:app")`.
        destination: None where no image is wanted: with the platform's `process` driver.
        home: The platform's state folder, in which the builder `host` puts its copies.
        driver: How the platform runs machines; empty on Fly.io.
        builder: The one that was asked for; empty to have one chosen.
        dockerfile: One that somebody has written or edited, which is then built; None to have one
            built only where that is asked for.
        ignorefile: In the place of the folder's `.dockerignore`.
        python: The version of Python, `3.12`.
        base: The image that builder `python` puts its layers on; empty for Python's own.
        architecture: What the image is for, in the words of images: `amd64`, `arm64`.
        env: More variables of the image.
        collect: What collects static files into the project; empty for nothing.
        cache: Where layers are kept from build to build.
        in_use: With the builder `host`, the `release_id`s of copies that machines run from.
        fresh: Use nothing of what was kept, and ask again what a tag means.
    """

    folder: Path
    app: str
    release_id: str
    start: Sequence[str]
    home: Path
    destination: Destination | None = None
    driver: str = ""
    builder: str = ""
    dockerfile: Dockerfile | None = None
    ignorefile: Path | None = None
    python: str = "3.12"
    base: str = ""
    architecture: str = "amd64"
    env: Mapping[str, str] = field(default_factory=dict)
    collect: Sequence[str] = ()
    cache: Path | None = None
    in_use: Collection[str] = ()
    fresh: bool = False

    @property
    def image(self) -> str:
        """What the image is called in the config of a machine."""
        return f"{self._destination.name}/{self.app}:{self.tag}"

    @property
    def pushed_as(self) -> str:
        """What the image is called where it is pushed."""
        return f"{self.repository}:{self.tag}"

    @property
    def tag(self) -> str:
        """The image's tag."""
        return f"deployment-{self.release_id}"

    @property
    def dockerfile_asked(self) -> Dockerfile:
        """The Dockerfile to be built where that is asked for."""
        return self.dockerfile or Dockerfile(self.folder / "Dockerfile")

    @property
    def cache_folder(self) -> Path:
        """Where layers are kept from build to build."""
        return self.cache or self.home / "build"

    @property
    def compression(self) -> str:
        """How layers of ours are packed: on the platform in the way that is faster."""
        return "gzip" if self._destination.name == FLY_REGISTRY else "zstd"

    @property
    def repository(self) -> str:
        """Where the image is pushed, without its tag."""
        return f"{self._destination.address}/{self.app}"

    @property
    def login(self) -> tuple[str, str]:
        """User and password for where the image is pushed."""
        return self._destination.user, self._destination.token

    @property
    def _destination(self) -> Destination:
        if self.destination is None:
            raise ConfigError(
                f"there is no registry to push the image of app '{self.app}' to",
                hint="start the platform with `ephemera up --driver container`",
            )
        return self.destination


@dataclass(frozen=True, slots=True)
class Built:
    """What came of a build: what to put into the config of a machine.

    Attributes:
        builder: Which one it was.
        image: For `config.image`.
        digest: Of the image's manifest, `sha256:...`; empty with the builder `host`.
        size_bytes: Of all layers as they are sent; with the builder `host` of all files.
        seconds: How long it took.
        exec: With the builder `host`, for `config.init.exec`: the app's own start command.
        env: With the builder `host`, for `config.env`.
        before: With the builder `host`, what goes in front of other commands: see `exec_of`.
    """

    builder: str
    image: str
    digest: str = ""
    size_bytes: int = 0
    seconds: float = 0.0
    exec: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    before: Sequence[str] = ()

    def exec_of(self, command: Sequence[str]) -> list[str]:
        """Return how a command is run from the copy that the builder `host` has made.

        For the commands of process groups and for the release command.
        """
        return [*self.before, *command]
