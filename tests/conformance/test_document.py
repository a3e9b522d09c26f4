"""Whatever schemathesis asks of the platform, the answer is as the document has it.

How long it tries is bounded here; `make conformance` has it try for longer, with another seed
each time.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ephemera.testing.serving import serving
from tests.conformance import world
from tests.conformance.document import load, operations
from tests.conformance.fuzzing import Effort, Run, run

#: Of each operation; sequences of requests take more. More of both:
#: EPHEMERA_CONFORMANCE_EXAMPLES=200.
_EXAMPLES = int(os.environ.get("EPHEMERA_CONFORMANCE_EXAMPLES", "0"))
_SEED = None if _EXAMPLES else 1
_FEW, _FEW_SEQUENCES = 8, 40

#: Operations that cannot succeed here, with the reason.
NEVER = {
    "POST /v1/apps/{app_name}/certificates/acme": "no authority is asked for certificates",
    "POST /v1/tokens/kms": "there is no key management service",
    "POST /v1/tokens/oidc": "only a machine is given one, and this is none",
}

#: Their body is a whole machine config: of all that `coverage` sends, two thirds are forms of that.
_LARGE = (
    ()
    if _EXAMPLES
    else (
        "POST /v1/apps/{app_name}/machines",
        "POST /v1/apps/{app_name}/machines/{machine_id}",
    )
)

pytestmark = pytest.mark.timeout(24 * 3600 if _EXAMPLES else 480)


def _fuzzed(folder: Path, effort: Effort) -> Run:
    with serving(folder / "home", driver="mock") as server:
        return run(world.make(server), folder, effort)


def test_every_answer_to_a_single_request_is_as_the_document_has_it(tmp_path: Path) -> None:
    phases = ("examples", "coverage", "fuzzing")
    effort = Effort(phases, _EXAMPLES or _FEW, _SEED, uncovered=_LARGE)
    done = _fuzzed(tmp_path, effort)
    assert not done.found, done.found
    assert _never_succeeded(done) == set(NEVER)


def _never_succeeded(done: Run) -> set[str]:
    return {
        operation.name
        for operation in operations(load())
        if not any(200 <= status < 300 for status in done.answered.get(operation.name, ()))
    }


def test_every_answer_in_a_sequence_of_requests_is_as_the_document_has_it(tmp_path: Path) -> None:
    done = _fuzzed(tmp_path, Effort(("stateful",), 10 * _EXAMPLES or _FEW_SEQUENCES, _SEED))
    assert not done.found, done.found


def test_an_answer_that_is_not_in_the_document_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.conformance.fuzzing.amended", lambda document: document)
    done = _fuzzed(tmp_path, Effort(("coverage",), 1, paths="/lease$"))
    assert done.found
    assert "Undocumented status code" in done.found
