"""What a new application may be called: its folder, its app, and Django's package are called so."""

from __future__ import annotations

import keyword
import re
import sys

from ephemera.errors import ConfigError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,49}")
#: Packages that the application imports, or has, by these names.
_TAKEN = frozenset(
    {"conftest", "django", "ephemera", "gunicorn", "jobs", "manage", "pytest", "test", "tests"}
)


def check_name(name: str, framework: str) -> None:
    """Return if an application can be called so.

    Raises:
        ConfigError: it cannot. A name with Django is also that of a package, which must not hide
            another one.
    """
    if not _NAME.fullmatch(name) or name.endswith(("-", "_")):
        raise ConfigError(
            f"an application cannot be called '{name}'",
            hint="up to 50 letters, digits, dashes and underscores, a letter first",
        )
    package = package_of(name)
    if keyword.iskeyword(package):
        raise ConfigError(f"'{package}' is a word of Python", hint="choose another name")
    if framework == "django" and (package in _TAKEN or package in sys.stdlib_module_names):
        raise ConfigError(
            f"there is a package '{package}' already, which the application needs itself",
            hint="choose another name",
        )


def package_of(name: str) -> str:
    """Return the name as one of a Python package."""
    return name.replace("-", "_").lower()
