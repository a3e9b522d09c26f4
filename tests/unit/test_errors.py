"""The drawing in errors.py is the truth."""

from __future__ import annotations

import inspect
import re

from ephemera import errors

_LINE = re.compile(r"^(?P<indent>(?:│  |   )*(?:[├└]─ )?)(?P<name>[A-Z]\w+)(?P<rest>.*)$")


def _drawn() -> dict[str, tuple[str | None, list[str]]]:
    """Return each drawn class with the class above it and its attributes."""
    drawing = (errors.__doc__ or "").split("```")[1]
    above: list[str] = []
    found: dict[str, tuple[str | None, list[str]]] = {}
    for line in drawing.strip().splitlines():
        match = _LINE.match(line)
        assert match, f"a line that is not a class: {line!r}"
        depth = len(match["indent"]) // 3
        del above[depth:]
        attributes = re.findall(r"(?<!\S)\.(\w+)", match["rest"])
        found[match["name"]] = (above[-1] if above else None, attributes)
        above.append(match["name"])
    return found


def _defined() -> dict[str, type[Exception]]:
    return {
        name: kind
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, Exception)
    }


def test_the_drawing_equals_the_classes() -> None:
    parents = {
        name: None if kind.__base__ is Exception else kind.__base__.__name__
        for name, kind in _defined().items()
        if kind.__base__ is not None
    }
    assert {name: parent for name, (parent, _) in _drawn().items()} == parents


def test_every_drawn_attribute_can_be_given() -> None:
    for name, (_, attributes) in _drawn().items():
        parameters = inspect.signature(_defined()[name].__init__).parameters
        assert set(attributes) <= set(parameters), name


def test_every_error_is_documented() -> None:
    undocumented = [name for name, kind in _defined().items() if not kind.__doc__]
    assert undocumented == []


def test_an_api_error_says_status_request_and_hint() -> None:
    error = errors.NotFound(
        "getting app 'x': app not found", status=404, request_id="01H", hint="create it"
    )
    assert str(error) == "getting app 'x': app not found [HTTP 404, request 01H] (create it)"


def test_a_job_error_ends_with_the_log() -> None:
    error = errors.MachineLost("gone", job_id="j", cause="lost", log_tail=("one", "two"))
    assert str(error) == "gone\nlast log lines:\n  one\n  two"
