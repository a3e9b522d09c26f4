r"""Variables written one a line, as in a `.env` file.

```
NAME=value              up to the end of the line, or to a # with white space before it
export NAME='$value'    as it is, over several lines too
NAME="a\nb"             with \n, \t, \\ and \"; over several lines too
# a comment
```

Three double quotes around a value, as Fly.io's own tool has them, keep it as it is over several
lines. Nothing is put in for `$NAME`.
"""

from __future__ import annotations

import re

from ephemera.errors import ConfigError

_BLANK = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_SETTING = re.compile(
    r"""
    [ \t]* (?:export[ \t]+)? (?P<name>[^\s=#'"]+) [ \t]*=[ \t]*
    (?: \"\"\"\n?(?P<block>.*?)\"\"\"
      | "(?P<double>(?:\\.|[^"\\])*)"
      | '(?P<single>[^']*)'
      | (?P<bare>(?!["'])(?:(?!\s+\#)[^\n])*?)
    )
    [ \t]* (?:(?<=\s)\#[^\n]*)? (?:\n|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def parse(text: str, source: str) -> dict[str, str]:
    """Return the variables of a text; of several with one name the last.

    Args:
        source: Where it comes from, for messages.

    Raises:
        ConfigError: a line is none of the above. It is not shown: it may be a secret.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        line = _BLANK.match(text, at) or _SETTING.match(text, at)
        if line is None:
            number = text.count("\n", 0, at) + 1
            raise ConfigError(f"line {number} of {source} is not NAME=VALUE")
        if line.re is _SETTING:
            found[line["name"]] = _value(line)
        at = line.end()
    return found


def _value(setting: re.Match[str]) -> str:
    if setting["double"] is not None:
        return re.sub(r"\\(.)", _unescaped, setting["double"], flags=re.DOTALL)
    plain = (setting[kind] for kind in ("block", "single", "bare"))
    return next(value for value in plain if value is not None)


def _unescaped(escape: re.Match[str]) -> str:
    return _ESCAPES.get(escape[1], escape[1])
