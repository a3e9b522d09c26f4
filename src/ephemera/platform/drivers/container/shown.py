"""What machines with the image `host` see of this computer's files, and what they never see."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ephemera.platform.drivers.container.places import Places, above
from ephemera.platform.drivers.monitoring import kernel

#: File systems that hold a computer's own files.
_REAL = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "xfs", "zfs"})
_NOT_SHOWN = ("/proc", "/sys", "/dev", "/run", "/boot", "/mnt", "/media", "/var/lib/docker")


def beside(places: Places) -> list[str]:
    """Return where what they see is mounted, beside `/`."""
    mounts = kernel.mounts()
    if places.user_namespace:
        return shown_apart(places.home, mounts)
    return mounted_beside(places.home, mounts)


def hidden(home: str) -> list[str]:
    """Return what they may not see, whoever runs this server with the state folder `home`."""
    everybodys = {one.pw_dir for one in pwd.getpwall()}
    return hidden_from_machines(home, list(_homes()), os.environ, everybodys)


def mounted_beside(home: str, mounts: Sequence[str]) -> list[str]:
    """Return where file systems of this computer are mounted beside `/`, outermost first.

    Args:
        home: The state folder, below which nothing is shown.
        mounts: The lines of `/proc/self/mountinfo`.
    """
    found = set[str]()
    for line in mounts:
        before, _, after = line.partition(" - ")
        place = kernel.unescaped(before.split(" ")[4])
        kind = after.split(" ")[0]
        shown = kind in _REAL or (kind == "tmpfs" and place == "/tmp")
        hidden = any(place == one or place.startswith(one + "/") for one in (*_NOT_SHOWN, home))
        if shown and not hidden and place != "/" and os.path.isdir(place):
            found.add(place)
    return sorted(found)


def shown_apart(home: str, mounts: Sequence[str]) -> list[str]:
    """Return the outermost folders of this computer that nothing else is mounted below.

    In a user namespace the kernel shows none of the others, so that nobody sees what is below
    what is mounted there.

    Args:
        home: The state folder.
        mounts: The lines of `/proc/self/mountinfo`.
    """
    places = {kernel.unescaped(line.split(" ")[4]) for line in mounts} - {"/"}
    crowded = {folder for one in places for folder in above(one)}
    found, ahead = list[str](), ["/"]
    while ahead:
        folder = ahead.pop()
        if folder in _NOT_SHOWN or folder == home or not os.access(folder, os.R_OK | os.X_OK):
            continue
        if folder not in crowded:
            found.append(folder)
            continue
        with suppress(FileNotFoundError), os.scandir(folder) as entries:  # it was taken away
            ahead += [one.path for one in entries if one.is_dir(follow_symlinks=False)]
    return sorted(found)


#: What belongs to a user alone, below the home folder: keys, tokens, passwords, histories.
_PRIVATE = (
    ".aws", ".azure", ".bash_history", ".boto", ".cargo/credentials", ".cargo/credentials.toml",
    ".composer/auth.json", ".config/chromium", ".config/containers/auth.json", ".config/gcloud",
    ".config/gh", ".config/git/credentials", ".config/google-chrome", ".config/hub", ".config/op",
    ".config/rclone", ".docker", ".fly", ".gem/credentials", ".git-credentials", ".gnupg", ".kube",
    ".local/share/keyrings", ".local/share/kwalletd", ".m2/settings.xml", ".mozilla", ".my.cnf",
    ".mysql_history", ".netrc", ".npmrc", ".password-store", ".pgpass", ".psql_history", ".pypirc",
    ".python_history", ".s3cfg", ".ssh", ".terraform.d", ".vault-token", ".zsh_history",
)  # fmt: skip
#: What belongs to the computer.
_OF_THE_COMPUTER = (
    "/etc/gshadow", "/etc/gshadow-", "/etc/krb5.keytab", "/etc/shadow", "/etc/shadow-",
    "/etc/ssl/private", "/etc/ssh/ssh_host_dsa_key", "/etc/ssh/ssh_host_ecdsa_key",
    "/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_rsa_key", "/var/lib/docker",
    "/var/lib/containers",
)  # fmt: skip


#: The variables that say where else a secret is; several paths may have colons between them.
_MOVED = (
    "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "CLOUDSDK_CONFIG", "DOCKER_CONFIG",
    "GNUPGHOME", "GOOGLE_APPLICATION_CREDENTIALS", "KUBECONFIG", "NETRC", "PGPASSFILE",
    "REGISTRY_AUTH_FILE",
)  # fmt: skip


def hidden_from_machines(
    home: str, homes: Sequence[str], environ: Mapping[str, str], others: Iterable[str] = ()
) -> list[str]:
    """Return what no machine with image `host` may see, whether it is there or not.

    Of a link that is the link, and what it leads to.

    Args:
        home: The state folder.
        homes: The home folders of those who run the platform.
        environ: Of the server, which may say that a secret is elsewhere.
        others: The home folders of others, of which only what is there is returned.
    """
    moved = [one for name in _MOVED for one in environ.get(name, "").split(":") if one[:1] == "/"]
    private = [os.path.join(one, name) for one in homes for name in _PRIVATE]
    theirs = [path for one in others for name in _PRIVATE if _is_there(path := f"{one}/{name}")]
    found = set[str]()
    for path in (home, *private, *theirs, *_OF_THE_COMPUTER, *moved):
        folder, name = os.path.split(path)
        found |= {os.path.join(os.path.realpath(folder), name), os.path.realpath(path)}
    outermost = [one for one in found if not any(one.startswith(other + "/") for other in found)]
    return sorted(outermost)


def _homes() -> Iterator[str]:
    """Yield the home folders of those who run the server."""
    yield str(Path.home())
    for name in (os.environ.get("SUDO_USER"), pwd.getpwuid(os.getuid()).pw_name):
        if name:
            with suppress(KeyError):
                yield pwd.getpwnam(name).pw_dir


def _is_there(path: str) -> bool:
    return os.path.lexists(path)
