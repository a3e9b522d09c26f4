"""Files of the cache that several builds may write at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ephemera.deploy.build import whole


def test_of_many_who_write_a_file_at_once_each_writes_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "file"
    contents = [bytes([n]) * 100_000 for n in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: whole.write(path, content), contents))
    assert path.read_bytes() in contents
    assert list(path.parent.iterdir()) == [path]
