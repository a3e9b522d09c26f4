"""What a `fly.toml` may say, and what is said of one that is wrong."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ephemera.deploy.flytoml import FlyToml, find, load, parse
from ephemera.deploy.flytoml.lines import line_of
from ephemera.errors import ConfigError

FILE = Path("fly.toml")


def read(text: str) -> FlyToml:
    return parse(text, FILE)


def refused(text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        read(text)
    return raised.value.message.splitlines()


def test_an_empty_file_is_an_app_of_one_group_with_nothing_to_say() -> None:
    toml = read("")
    assert (toml.app, toml.groups(), toml.services_of("app")) == (None, ["app"], [])


def test_files_of_windows_and_of_older_clients_are_read(tmp_path: Path) -> None:
    file = tmp_path / "fly.toml"
    file.write_bytes(b'\xef\xbb\xbfapp = "shop"\r\nprocesses = []\r\n')
    assert (load(file).app, load(file).groups()) == ("shop", ["app"])


def test_the_nearest_file_above_a_folder_is_found(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "fly.toml").write_text("app = 'x'")
    assert find(inner) == tmp_path / "fly.toml"
    (inner / "fly.toml").mkdir()  # a folder is no file
    assert find(inner) == tmp_path / "fly.toml"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "[http_service]\ninternal_port = 'eighty'",
            (
                "fly.toml:2: [http_service] internal_port is 'eighty'; "
                "a number from 1 to 65535 is needed"
            ),
        ),
        (
            "[http_service]\n\nforce_https = true",
            "fly.toml:1: [http_service] internal_port is missing",
        ),
        ("[build]\n[a.b]\n[build]", "fly.toml:3:7: cannot declare [build] twice"),
        ("[a.b]\n[a.b]", "fly.toml:2:5: cannot declare [a.b] twice"),
        (
            "[http_service]\ninternal_prt = 8080",
            "fly.toml:1: [http_service] internal_port is missing; there is 'internal_prt'",
        ),
        ("app = 3", "fly.toml:1: app is 3; a text in quotes is needed"),
        ("\nkill_signal = 'SIGFOO'", "fly.toml:2: kill_signal is 'SIGFOO'; one of 'SIGHUP'"),
        ("kill_timeout = '5 minutes'", "kill_timeout is '5 minutes'; a duration such as '10s'"),
        ("kill_timeout = 301", "kill_timeout is 301; a number of 300 or less is needed"),
        ("[[vm]]\nmemory = 'much'", "fly.toml:2: [vm[0]] memory is 'much'; a size such as '512mb'"),
        ("[[vm]]\nsize = 'huge'", "fly.toml:2: [vm[0]] size is 'huge'; a size such as 'shared-cpu"),
        ("[vm]\ncpus = 0", "fly.toml:2: [vm[0]] cpus is 0; a number of 1 or more is needed"),
        ("[env]\nA = ['x']", "fly.toml:2: [env] A is ['x']; a text in quotes is needed"),
        ("services = 3", "fly.toml:1: services is 3; a table, or several is needed"),
        (
            "[processes]\napp = 'run \"'",
            "fly.toml:2: [processes] app is 'run \"'; a command (no clos",
        ),
        (
            "[deploy]\nrelease_command = ' '",
            "[deploy] release_command is ' '; a command; it is empty",
        ),
        (
            "[deploy]\nstrategy = 'fast'",
            "[deploy] strategy is 'fast'; one of 'rolling', 'bluegreen'",
        ),
        (
            "[http_service]\ninternal_port = 1\nauto_stop_machines = 'yes'",
            "fly.toml:3: [http_service] auto_stop_machines is 'yes'; 'off', 'stop' or 'suspend'",
        ),
        (
            "[http_service]\ninternal_port = 1\n[[http_service.checks]]\ninterval = 15",
            (
                "[http_service.checks[0]] interval is 15; a duration such as '10s'; "
                "a bare number is milliseconds"
            ),
        ),
        (
            (
                "[http_service]\ninternal_port = 1\n[http_service.concurrency]\n"
                "soft_limit = 30\nhard_limit = 20"
            ),
            "fly.toml:4: [http_service.concurrency] soft_limit is 30, above the hard_limit, 20",
        ),
        (
            "[[services]]\ninternal_port = 1\n[[services.ports]]\nhandlers = ['http']",
            "fly.toml:3: [services[0].ports[0]] needs a port, or a start_port and an end_port",
        ),
        (
            (
                "[[services]]\ninternal_port = 1\n[[services.ports]]\nport = 80\n"
                "[[services]]\ninternal_port = 2\n[[services.ports]]\nport = 80"
            ),
            "fly.toml:7: [services[1]] ports have tcp port 80 2 times in the group 'app'",
        ),
        (
            "[processes]\nweb = 'x'\n[http_service]\ninternal_port = 1\nprocesses = ['app']",
            "fly.toml:5: [http_service] processes names the process group 'app'; there are: web",
        ),
        ("[checks.up]\ntype = 'tcp'", "fly.toml:1: [checks] up needs a port, as there is no"),
        ("[checks.up]\ntype = 'icmp'", "fly.toml:2: [checks.up] type is 'icmp'; one of 'http' or"),
        (
            "[mounts]\ndestination = 'data'",
            "[mounts[0]] destination is 'data'; a path from the root",
        ),
        (
            "[[mounts]]\ndestination = '/a'\n[[mounts]]\ndestination = '/b'",
            "fly.toml:3: [mounts[1]] is one too many: a machine of the group 'app' mounts one",
        ),
        (
            "[[files]]\nguest_path = '/a'",
            "fly.toml:1: [files[0]] needs one of local_path, raw_value",
        ),
        (
            "[[restart]]\npolicy = 'often'",
            "[restart[0]] policy is 'often'; one of 'always', 'never'",
        ),
        (
            "[[metrics]]\nport = 70000\npath = '/m'",
            "[metrics[0]] port is 70000; a number from 1 to",
        ),
    ],
)
def test_what_is_wrong_is_said_with_file_line_and_key(text: str, problem: str) -> None:
    (line,) = refused(text)
    assert problem in line


def test_all_problems_are_said_at_once_in_the_order_of_the_file() -> None:
    lines = refused("kill_timeout = 'x'\n\n[http_service]\ninternal_port = 0\n[[vm]]\ncpus = 'two'")
    assert [line.split(":")[1] for line in lines] == ["1", "4", "6"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("app = \n", "fly.toml:1:7: "),
        ("app = 'a'\napp = 'b'\n", "fly.toml:2:"),
        ("x = [\n1,\n", "fly.toml:2: "),
    ],
)
def test_what_is_no_toml_is_said_with_line_and_column(text: str, place: str) -> None:
    assert refused(text)[0].startswith(place)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file") as raised:
        load(tmp_path / "fly.toml")
    assert "ephemera launch" in raised.value.hint
    (tmp_path / "fly.toml").write_bytes(b"app = '\xff'")
    with pytest.raises(ConfigError, match="not text in UTF-8"):
        load(tmp_path / "fly.toml")


@pytest.mark.parametrize("text", ["x = " + "[" * 5000, "a" * 300_000])
def test_a_hostile_file_is_refused(text: str) -> None:
    assert refused(text)[0].startswith("fly.toml")


def test_unknown_keys_are_kept_and_warned_about_with_what_was_meant() -> None:
    warned: list[str] = []
    text = "colour = 1\n[http_service]\ninternal_port = 80\nauto_stop_machine = true\n"
    toml = parse(text, FILE, warn=warned.append)
    assert warned == [
        "fly.toml:1: colour is not known, and changes nothing",
        (
            "fly.toml:4: [http_service] auto_stop_machine is not known, and changes nothing; "
            "'auto_stop_machines' is"
        ),
    ]
    assert toml.model_extra == {"colour": 1}


@pytest.mark.parametrize(
    ("written", "seconds"), [("'10s'", 10), ("'1m30s'", 90), ("7", 7), ("'7'", 7), ("0.5", 0.5)]
)
def test_durations_are_seconds(written: str, seconds: float) -> None:
    assert read(f"kill_timeout = {written}").kill_timeout == seconds


@pytest.mark.parametrize(
    ("written", "megabytes"),
    [
        ("'1gb'", 1024),
        ("'1GiB'", 1024),
        ("'512mb'", 512),
        ("512", 512),
        ("'512'", 512),
        ("'2 G'", 2048),
    ],
)
def test_sizes_of_memory_are_megabytes(written: str, megabytes: int) -> None:
    assert read(f"[vm]\nmemory = {written}").vm[0].memory == megabytes


@pytest.mark.parametrize(
    ("written", "word"), [("true", "stop"), ("false", "off"), ("'suspend'", "suspend")]
)
def test_autostop_is_a_word_or_yes_and_no(written: str, word: str) -> None:
    toml = read(f"[http_service]\ninternal_port = 80\nauto_stop_machines = {written}")
    assert toml.http_service
    assert toml.http_service.auto_stop_machines == word


def test_a_table_is_a_list_of_one() -> None:
    assert (
        read("[mounts]\ndestination = '/d'").mounts == read("[[mounts]]\ndestination = '/d'").mounts
    )


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 1),
        (("t", "b"), 4),
        (("t", "s"), 6),
        (("t", "after"), 9),
        (("l", 1), 12),
        (("l", 1, "k"), 13),
        (("q q", "x"), 15),
        (("inline", "deep"), 17),
        (("nowhere",), 1),
        (("t", "nowhere"), 2),
        (("t", 0, "b"), 4),
    ],
)
def test_the_line_of_a_key_is_where_its_statement_begins(
    path: tuple[str | int, ...], line: int
) -> None:
    text = (
        "a = 1\n[t]\n# b = 0\nb = 1\n\ns = '''\nb = 2\n'''\nafter = [1,\n2]\n"
        "[[l]]\n[[l]]\nk = 1\n['q q']\nx = 1\n[inline]\ndeep = {a = 1}\n"
    )
    assert line_of(text, path) == line


def test_a_long_file_is_looked_through_in_few_steps() -> None:
    text = "".join(f"[env{n}]\nA = '{n}'\n" for n in range(2000))
    before = time.process_time()
    assert line_of(text, ("env1999", "A")) == 4000
    assert time.process_time() - before < 20  # each line by itself would take minutes
