"""What of a lock file is for the image's computer, which may be another one than this.

`pip` looks at the conditions of requirements (`; python_version < "3.11"`) with the Python that it
runs with, whatever it installs for. A lock names all that is needed, with its conditions: so they
are looked at here, for the image, and what is left is installed as it is.

Source: https://packaging.python.org/en/latest/specifications/dependency-specifiers/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from packaging.requirements import InvalidRequirement, Requirement

_HASH = " --hash="


def applied(requirements: str, environment: Mapping[str, str]) -> str:
    """Return the lines of a requirements file that count, without their conditions.

    Args:
        environment: The values of the variables in conditions.
    """
    lines = (_counting(line, environment) for line in _logical(requirements))
    return "".join(f"{line}\n" for line in lines if line)


def _logical(requirements: str) -> Iterator[str]:
    """Yield lines, those that go on in the next one put together."""
    for line in requirements.replace("\\\n", " ").splitlines():
        yield " ".join(line.split())


def _counting(line: str, environment: Mapping[str, str]) -> str:
    named, found, hashes = line.partition(_HASH)
    try:
        requirement = Requirement(named)
    except InvalidRequirement:
        return line  # an option, a comment or a path
    marker, requirement.marker = requirement.marker, None
    if marker and not marker.evaluate(dict(environment)):
        return ""
    return f"{requirement}{found}{hashes}"
