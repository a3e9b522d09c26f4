"""What is written down about images, beside what a server before this one has left."""

from __future__ import annotations

from pathlib import Path

from ephemera.platform.images.records import Meaning, Records


def test_what_a_killed_server_was_writing_is_in_nobodys_way_while_it_is_removed(
    tmp_path: Path,
) -> None:
    records = Records(tmp_path)
    records.load()
    (records.unfinished / "references.json.new").mkdir()  # as little of ours as if it went just now
    meaning = Meaning("sha256:1", "sha256:2", 3.0)
    records.mean("a:latest", meaning)
    assert records.meaning("a:latest") == meaning
    assert (tmp_path / "references.json").exists()
