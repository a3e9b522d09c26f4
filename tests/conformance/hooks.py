"""What schemathesis is told that the document cannot say. Loaded by schemathesis itself."""

from __future__ import annotations

from typing import Any

import schemathesis

#: A wait for what does not happen is not held longer than this, or a run would take hours.
_WAIT_S = 1


@schemathesis.hook
def before_call(_context: Any, case: schemathesis.Case[Any], _kwargs: dict[str, Any]) -> None:
    """Have waits be short, unless it is their `timeout` that is put to the test."""
    if case.operation.path.endswith("/wait"):
        given = str(case.query.get("timeout", "60"))
        if given.isdigit() and int(given) > _WAIT_S:
            case.query["timeout"] = _WAIT_S
