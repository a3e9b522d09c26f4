from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from ephemera.platform import logfile
from ephemera.platform.logs import PAGE_LINES, TAIL_LINES, Cursor, Logs, Wanted, timestamp

ANY = Wanted()
START = Cursor(1, 0)


def _logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path, clock=lambda: 1_600_000_000.5)


def test_a_line_that_was_said_is_read_back(tmp_path: Path) -> None:
    logs = _logs(tmp_path)
    logs.say("app", "m1", "local", "hello")
    (entry,), _ = logs.page("app", START, ANY)
    assert entry.line() == "2020-09-13T12:26:40Z runner[m1] local [info]hello"


def test_pages_go_on_where_the_last_one_ended(tmp_path: Path) -> None:
    logs = _logs(tmp_path)
    for number in range(PAGE_LINES + 3):
        logs.say("app", "m1", "local", str(number))
    first, token = logs.page("app", START, ANY)
    second, token = logs.page("app", Cursor.parse(str(token)), ANY)
    assert [len(first), len(second)] == [PAGE_LINES, 3]
    assert second[-1].message == str(PAGE_LINES + 2)
    assert logs.page("app", token, ANY) == ([], token)


def test_only_the_wanted_machine_is_read(tmp_path: Path) -> None:
    logs = _logs(tmp_path)
    for machine in ("m1", "m2", "m1"):
        logs.say("app", machine, "local", machine)
    lines, _ = logs.page("app", START, Wanted("m1"))
    assert [line.instance for line in lines] == ["m1", "m1"]


def test_a_tail_is_the_last_lines(tmp_path: Path) -> None:
    logs = _logs(tmp_path)
    for number in range(TAIL_LINES + 50):
        logs.say("app", "m1", "local", str(number))
    lines, end = logs.tail("app", ANY)
    assert [lines[0].message, lines[-1].message] == ["50", str(TAIL_LINES + 49)]
    assert end == logs.end("app")


def test_apps_do_not_see_each_other(tmp_path: Path) -> None:
    logs = _logs(tmp_path)
    logs.say("one", "m1", "local", "secret")
    assert logs.tail("two", ANY) == ([], START)


def test_a_line_that_a_full_disk_cut_off_is_passed_over(tmp_path: Path) -> None:
    logs = _logs(tmp_path)
    logfile.append(logs.folder("app"), b'{"timestamp": "2020\n')
    logs.say("app", "m1", "local", "after")
    lines, _ = logs.page("app", START, ANY)
    assert [line.message for line in lines] == ["after"]


def test_a_reader_is_woken_by_the_next_line(tmp_path: Path) -> None:
    logs = _logs(tmp_path)

    async def follow() -> list[str]:
        reading = asyncio.create_task(logs.more("app", START, ANY, timeout=30))
        await asyncio.sleep(0)
        logs.say("app", "m1", "local", "now")
        lines, _ = await reading
        return [line.message for line in lines]

    assert asyncio.run(follow()) == ["now"]


def test_a_reader_of_one_machine_waits_through_the_lines_of_others(tmp_path: Path) -> None:
    logs = _logs(tmp_path)

    async def follow() -> list[str]:
        reading = asyncio.create_task(logs.more("app", START, Wanted("m1"), timeout=30))
        await asyncio.sleep(0)
        logs.say("app", "m2", "local", "not me")
        await asyncio.sleep(0)
        logs.say("app", "m1", "local", "me")
        lines, _ = await reading
        return [line.message for line in lines]

    assert asyncio.run(follow()) == ["me"]


def test_a_reader_that_waited_in_vain_gets_an_empty_page(tmp_path: Path) -> None:
    logs = _logs(tmp_path)
    assert asyncio.run(logs.more("app", START, ANY, timeout=0)) == ([], START)


def test_an_empty_page_means_the_end_however_many_lines_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ephemera.platform.logs.SCAN_LINES", 10)
    logs = _logs(tmp_path)
    for machine in ["m2"] * 35 + ["m1"]:
        logs.say("app", machine, "local", machine)
    lines, end = asyncio.run(logs.more("app", START, Wanted("m1"), timeout=0))
    assert [line.message for line in lines] == ["m1"]
    assert asyncio.run(logs.more("app", end, Wanted("m1"), timeout=0)) == ([], end)


def test_a_reader_that_gives_up_leaves_nothing_behind(tmp_path: Path) -> None:
    logs = _logs(tmp_path)

    async def give_up() -> None:
        reading = asyncio.create_task(logs.more("app", START, ANY, timeout=30))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    asyncio.run(give_up())
    assert logs._readers == {}


def test_a_segment_that_goes_while_it_is_about_to_be_read_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = _logs(tmp_path)
    logs.say("app", "m1", "local", "kept")
    folder = Path(logs.folder("app"))
    (folder / "0000000001.jsonl").rename(folder / "0000000003.jsonl")
    monkeypatch.setattr(logfile, "segments", lambda _: [1, 2, 3])
    assert [line.message for line in logs.page("app", START, ANY)[0]] == ["kept"]
    assert [line.message for line in logs.tail("app", ANY)[0]] == ["kept"]


def test_release_sends_readers_away(tmp_path: Path) -> None:
    logs = _logs(tmp_path)

    async def follow() -> int:
        reading = asyncio.create_task(logs.more("app", START, ANY, timeout=30))
        await asyncio.sleep(0)
        logs.release()
        return len((await reading)[0])

    assert asyncio.run(follow()) == 0


def test_rotation_loses_no_line_and_keeps_so_many_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logfile, "SEGMENT_BYTES", 300)
    monkeypatch.setattr(logfile, "SEGMENTS_KEPT", 3)
    logs = _logs(tmp_path)
    for number in range(50):
        logs.say("app", "m1", "local", str(number))
    folder = logs.folder("app")
    assert len(logfile.segments(folder)) == 3
    lines, _ = logs.page("app", START, ANY)
    numbers = [int(line.message) for line in lines]
    assert numbers == list(range(numbers[0], 50))


def test_many_writers_never_mix_their_lines(tmp_path: Path) -> None:
    folder = str(tmp_path / "app")

    def write(name: str) -> None:
        for _ in range(100):
            logfile.append(folder, (name * 500).encode() + b"\n")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = Path(logfile.segment_path(folder, 1)).read_text().splitlines()
    assert len(lines) == 400
    assert all(line == line[0] * 500 for line in lines)


@pytest.mark.parametrize("text", ["", "1", "a:1", "1:-1", "1:", "9" * 9 + ":x", "\u0661:\u0662"])
def test_a_token_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="token"):
        Cursor.parse(text)


def test_a_timestamp_is_rfc_3339_in_utc() -> None:
    assert timestamp(0.000001) == "1970-01-01T00:00:00.000001Z"
    assert timestamp(1_600_000_000.75) == "2020-09-13T12:26:40.750000Z"
