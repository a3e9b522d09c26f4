"""What the commands of releases take, and what they do not."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from ephemera.cli.main import app


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("scale count many", "'many' is not a number"),
        ("scale count =2", "'=2' is not a number"),
        ("scale count web=-1", "'web=-1' is not a number"),
        ("scale memory 0", "x>=1"),
        ("rollback 0", "'0' is no version such as v3"),
        ("deploy --strategy sudden", "'sudden' is not one of"),
    ],
)
def test_what_is_no_number_or_no_strategy_is_refused(words: str, why: str) -> None:
    done = CliRunner().invoke(app, words.split())
    assert done.exit_code == 2
    assert why in " ".join(done.output.replace("\u2502", " ").split())
