from __future__ import annotations

from pathlib import Path

import pytest

from ephemera.deploy.build.dockersteps import where_it_failed

DOCKERFILE = """\
# A comment
FROM busybox AS one

RUN echo before \\
  # in between
  && false
COPY . /app
"""

SAID = {
    "buildah": ["[1/2] STEP 2/4: RUN echo before   && false", "before", "error: exit status 1"],
    "buildah, one stage": ["STEP 2/4: RUN echo before && false", "error"],
    "docker": ["Step 2/3 : RUN echo before   && false", " ---> Running in 1f", "code: 1"],
    "BuildKit": ["#5 ERROR: exit code: 1", "Dockerfile:4", "   4 | >>> RUN echo before"],
}


@pytest.mark.parametrize("lines", SAID.values(), ids=SAID)
def test_the_line_is_found_in_what_each_program_says(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text(DOCKERFILE)
    found = where_it_failed(lines, path)
    assert found.startswith(f"{path}:4 (RUN echo before")


def test_a_step_that_is_not_in_the_file_is_shown_without_a_line(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text(DOCKERFILE)
    assert where_it_failed(["STEP 1/9: RUN other"], path) == f"{path} (RUN other)"


def test_nothing_is_said_where_no_step_was_begun(tmp_path: Path) -> None:
    assert where_it_failed(["no such daemon"], tmp_path / "gone") == ""
