"""A machine's file system with all that has to be in it, and what runs there as whom.

Standard library only.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ephemera.platform.drivers.container import bundle, disks, mapping, rootfs, syscalls, users
from ephemera.platform.drivers.container.bundle import Bind, Filter
from ephemera.platform.drivers.container.inroot import Owner, Root
from ephemera.platform.drivers.container.prepared import Prepared
from ephemera.platform.drivers.container.rootfs import HostFiles, Layer
from ephemera.platform.drivers.container.setup import Setup
from ephemera.platform.drivers.container.users import User
from ephemera.platform.drivers.monitoring.folder import BootFolder
from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.drivers.monitoring.program import NotStarted

#: Where programs are looked for in an image that does not say.
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Permission bits only: no set-user-id for a file that came over the network.
_MODE_MASK = 0o777
#: At least, for programs that share memory; as Docker has it.
_SHM_MB = 64


class Furnished(NamedTuple):
    """A machine that is ready to be started, and what runs in it."""

    root: str
    hostname: str
    owner: Owner
    prepared: Prepared
    filter: Filter
    binds: Sequence[Bind]
    user: User
    workdir: str
    #: Of the main program, and of commands beside it.
    env: Mapping[str, str]
    command: Sequence[str]
    tty: bool
    #: The programs beside the main one, as `bundle` describes them.
    others: Sequence[dict[str, Any]]

    def config(self) -> dict[str, Any]:
        """Return the machine as the OCI has it, for the runtime."""
        main = bundle.process(self.command, self.env, self.user, self.workdir, tty=self.tty)
        return bundle.config(
            main,
            self.root,
            self.hostname,
            self.prepared.init.paths(),
            self.binds,
            self.filter,
            shm_mb=_SHM_MB,
            cgroup_version=self.prepared.cgroup.version,
        )


def furnish(request: Message, folder: BootFolder, setup: Setup, prepared: Prepared) -> Furnished:
    """Make the file system of a machine, and find out what runs there.

    Raises:
        NotStarted, OSError: it cannot be had.
    """
    places, owner = setup.places, prepared.owner
    layer = Layer(folder.layer)
    if request["host"]:
        show_host(setup, prepared)
        rootfs.mount_host(places, HostFiles(setup.beside, setup.hidden), layer, owner)
    else:
        rootfs.mount_image(places, request["layers"], layer, owner)
    return furnish_mounted(request, setup, prepared, owner)


def show_host(setup: Setup, prepared: Prepared) -> None:
    """Have this computer's own files where a machine with image `host` has them from.

    Raises:
        OSError: they cannot be shown with the owners that they have for the machine.
    """
    if setup.own_ids:
        mapping.show_host(setup.places.host, list(setup.beside), prepared.init.pid)


def furnish_mounted(request: Message, setup: Setup, prepared: Prepared, owner: Owner) -> Furnished:
    """Put what a machine needs into its file system, and find out what runs there.

    Raises:
        NotStarted, OSError: something cannot be there.
    """
    places = setup.places
    root = Root(places.root, owner)
    try:
        _write_files(root, request)
        user = users.find(root, request["user"])
        # cleaned by its letters, as Docker does it: images have relative ones, and such with `..`
        workdir = os.path.normpath("/" + request["workdir"].lstrip("/"))
        _have_folder(root, workdir)
        env = _environment(request["env"], user)
        others = [_beside(root, one, workdir) for one in request["beside"]]
        for one in request["mounts"]:
            _be_no_root(root, one["path"])
    finally:
        root.close()
    return Furnished(
        root=places.root,
        hostname=request["instance"],
        owner=owner,
        prepared=prepared,
        filter=setup.filter,
        binds=list(_binds(request, setup, prepared)),
        user=user,
        workdir=workdir,
        env=env,
        command=_checked(request["command"]),
        tty=request["tty"],
        others=others,
    )


_SAFE = ("nosuid", "nodev")


def _write_files(root: Root, request: Message) -> None:
    """Write what the network and the config say. A machine's own files come last and win."""
    name, address = request["instance"], request["address"]
    own = f"{address} {name} fly-local-6pn" if address else f"127.0.1.1 {name}"
    hosts = f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n{own}\n"
    texts = {"/etc/hosts": hosts, "/etc/hostname": f"{name}\n"}
    if request["nameserver"]:
        texts["/etc/resolv.conf"] = f"nameserver {request['nameserver']}\n"
    for path, text in texts.items():
        _write_file(root, path, text.encode(), 0o644)
    for file in request["files"]:
        content = base64.b64decode(file["content"])
        _write_file(root, file["guest_path"], content, file["mode"] & _MODE_MASK)


def _write_file(root: Root, path: str, content: bytes, mode: int) -> None:
    try:
        root.write(path, content, mode)
    except OSError as error:
        raise NotStarted(f"file '{path}' cannot be written: {error.strerror}") from error


def _have_folder(root: Root, path: str) -> None:
    try:
        os.close(root.make_folders(path))
    except OSError as error:
        raise NotStarted(f"the working folder '{path}': {error.strerror}") from error


def _be_no_root(root: Root, path: str) -> None:
    if root.is_at(path):  # what lies there would be covered for nobody, and the volume never seen
        raise NotStarted(f"the volume for '{path}': the image has a link to its root there")


def _environment(given: Mapping[str, str], user: User) -> dict[str, str]:
    return {"PATH": _PATH, "HOME": user.home, **given}


def _beside(root: Root, asked: Message, workdir: str) -> dict[str, Any]:
    """Return a program that runs beside the main one, as the OCI has it."""
    user = users.find(root, asked["user"])
    env = _environment(asked["env"], user)
    return bundle.process(_checked(asked["command"]), env, user, workdir, tty=False)


def _checked(command: Sequence[str]) -> Sequence[str]:
    if not command or not command[0]:
        raise NotStarted("there is no command to run: neither the config nor the image has one")
    return command


def _binds(request: Message, setup: Setup, prepared: Prepared) -> Iterator[Bind]:
    """Yield what of this computer the machine sees, which is put where the runtime gets at it."""
    run = setup.places.run
    if request["api_folder"]:
        api = f"{run}/api"
        os.mkdir(api)
        syscalls.mount(request["api_folder"], api, "", syscalls.MS_BIND)
        yield Bind(api, "/.fly", ("ro", *_SAFE))
    for number, one in enumerate(request["mounts"]):
        source = _attached(one, f"{run}/volume{number}")
        if setup.own_ids:
            source = _shown(source, f"{run}/shown{number}", prepared)
        yield Bind(source, one["path"], _SAFE)


def _attached(mount: Mapping[str, str], place: str) -> str:
    """Return the folder of a volume's data, which is mounted at `place` if it is a disk."""
    source, path = mount["source"], mount["path"]
    if not os.path.exists(source):
        raise NotStarted(f"the volume for '{path}' is not there")
    if os.path.isdir(source):
        return source
    os.mkdir(place, 0o700)
    try:
        disks.attach(source, place)
    except OSError as error:
        raise NotStarted(f"the volume for '{path}' cannot be mounted: {error}") from error
    return place


def _shown(source: str, place: str, prepared: Prepared) -> str:
    """Return where a folder is shown with the owners that it has for the machine."""
    os.mkdir(place, 0o700)
    mapping.show(source, place, prepared.init.pid)
    return place
