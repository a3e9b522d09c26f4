from __future__ import annotations

import enum
import functools
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ephemera import command, task
from ephemera.errors import ConfigError
from ephemera.jobs import Task, configure
from ephemera.jobs.arguments import ARGUMENTS_MAX_BYTES
from ephemera.jobs.runtime import runtime
from ephemera.jobs.stores.memory import MemoryStore


@task
def bill(album: str, size: int = 200, **rest: Any) -> str:
    """Bill somebody."""
    return f"{album} {size}"


@task(timeout=5, guest={"cpus": 2}, region="ams", env={"A": "b"})
def sized() -> None: ...


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    store = MemoryStore()
    configure(store=store, supervise=False)
    yield store
    runtime.reset()


def test_a_task_can_still_be_called() -> None:
    assert bill("paris", size=3) == "paris 3"


def test_a_task_keeps_its_name_and_docstring() -> None:
    assert (vars(bill)["__name__"], bill.__doc__) == ("bill", "Bill somebody.")


def test_the_type_of_a_task_can_be_written_while_the_program_runs() -> None:
    assert typing.get_args(Task[[int], str]) == ([int], str)


def test_declaring_a_task_loads_nothing_that_a_machine_would_wait_for() -> None:
    program = (
        "import sys; before = set(sys.modules); from ephemera import task; task(timeout=3)\n"
        "print(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    heavy = {"collections", "enum", "functools", "importlib", "re", "types", "typing"}
    assert done.stdout
    assert not heavy & set(done.stdout.split())


def test_a_job_is_stored_with_its_reference_and_arguments(store: MemoryStore) -> None:
    job = bill.enqueue("paris", size=3)
    stored = store.job(job.id)
    assert stored is not None
    assert stored.work.task is not None
    assert (stored.work.task.module, stored.work.task.qualname) == (__name__, "bill")
    assert (stored.work.args, stored.work.kwargs) == (("paris",), {"size": 3})
    assert job.state == "queued"


def test_options_reach_the_work_and_the_rest_has_defaults(store: MemoryStore) -> None:
    work = store.jobs()[0].work if sized.enqueue() else None
    assert work is not None
    assert work.guest == {"cpu_kind": "shared", "cpus": 2, "memory_mb": 256}
    assert (work.timeout_s, work.start_timeout_s) == (5.0, 300.0)
    assert (work.region, work.env, work.app, work.image) == ("ams", {"A": "b"}, "jobs", "host")


def test_image_host_takes_over_the_place_of_the_caller(store: MemoryStore) -> None:
    bill.enqueue("paris")
    host = store.jobs()[0].work.host
    assert host is not None
    assert (host.python, host.folder) == (sys.executable, str(Path.cwd()))
    assert all(Path(entry).is_absolute() for entry in host.path)


def test_another_image_takes_nothing_over(store: MemoryStore) -> None:
    command(["true"], image="alpine").enqueue()
    assert store.jobs()[0].work.host is None


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (Colour.RED, "Colour"),
        (b"bytes", "bytes"),
        ({1: "a"}, "key of type int"),
        (float("nan"), "nan"),
        ([0, {"a": {2}}], "argument 'album'[1]['a'] is of type set"),
        (Path("x"), "pathlib"),
    ],
)
def test_an_argument_that_is_not_json_is_named_and_nothing_is_stored(
    store: MemoryStore, value: Any, named: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        bill.enqueue(value)
    assert "argument 'album'" in str(caught.value)
    assert named in str(caught.value)
    assert store.jobs() == []


def test_an_argument_that_contains_itself_is_refused(store: MemoryStore) -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ConfigError, match="contains itself"):
        bill.enqueue("a", size=1, more=endless)
    assert store.jobs() == []


def test_arguments_that_are_too_large_are_refused(store: MemoryStore) -> None:
    with pytest.raises(ConfigError, match="at most"):
        bill.enqueue("x" * ARGUMENTS_MAX_BYTES)
    assert store.jobs() == []


def test_a_call_that_does_not_fit_the_signature_is_refused(store: MemoryStore) -> None:
    with pytest.raises(ConfigError, match="missing a required argument: 'album'"):
        bill.enqueue()  # type: ignore[call-arg]
    assert store.jobs() == []


def test_a_tuple_is_fine_and_travels_as_a_list(store: MemoryStore) -> None:
    assert bill.enqueue("a", size=1, pair=(1, 2)).state == "queued"


def test_a_lambda_cannot_be_a_task() -> None:
    with pytest.raises(ConfigError, match="lambda"):
        task(lambda: None)


def test_a_task_cannot_be_declared_once_more() -> None:
    with pytest.raises(ConfigError, match=r"<Task .*:sized> is a task already") as twice:
        task(timeout=9)(sized)
    assert "one @task" in twice.value.hint


def test_a_decorator_of_a_task_brings_nothing_of_it_along(store: MemoryStore) -> None:
    @functools.wraps(sized)
    def logged() -> None: ...

    task(timeout=9)(logged).enqueue()
    assert [job.work.timeout_s for job in store.jobs()] == [9.0]


def test_a_nested_function_cannot_be_a_task() -> None:
    def inside() -> None: ...

    with pytest.raises(ConfigError, match="inside"):
        task(inside)


@pytest.mark.parametrize("argv", ["curl x", [], ["a", 1], ["a\0"], None, {"a"}])
def test_a_command_must_be_a_list_of_texts(argv: Any) -> None:
    with pytest.raises(ConfigError):
        command(argv)


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": float("inf")},
        {"timeout": "60"},
        {"start_timeout": True},
        {"env": {"A": 1}},
        {"env": {"A=B": "x"}},
        {"guest": {"gpus": 1}},
        {"guest": {"memory_mb": "1gb"}},
        {"guest": {"cpus": True}},
        {"guest": {"cpu_kind": 1}},
        {"guest": 512},
        {"env": ["A=b"]},
        {"region": 1},
        {"colour": "red"},
        {"volume": "vol_1"},
        {"volume": "vol_1:data"},
        {"volume": ":/data"},
        {"volume": 7},
    ],
)
def test_a_wrong_option_is_refused_when_the_task_is_declared(options: Any) -> None:
    with pytest.raises(ConfigError):
        command(["true"], **options)


def test_an_unknown_option_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError) as caught:
        command(["true"], retries=3)  # type: ignore[call-arg]
    assert "start_timeout" in caught.value.hint


def test_machines_of_a_django_project_are_told_its_name(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "shop.settings")
    monkeypatch.setitem(sys.modules, "django", ModuleType("django"))
    bill.enqueue("paris")
    sized.enqueue()
    assert [job.work.env for job in store.jobs()] == [
        {"DJANGO_SETTINGS_MODULE": "shop.settings", "A": "b"},
        {"DJANGO_SETTINGS_MODULE": "shop.settings"},
    ]


def test_a_project_that_this_process_is_not_of_is_not_told(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "shop.settings")
    monkeypatch.delitem(sys.modules, "django", raising=False)
    bill.enqueue("paris")
    assert store.jobs()[0].work.env == {}


def test_a_function_typed_at_a_prompt_cannot_be_a_task() -> None:
    program = "from ephemera import task\ndef f(): ...\ntask(f)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "it was typed at a prompt" in ran.stderr


def test_a_task_of_a_script_is_found_by_its_file(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("from ephemera import task\n@task\ndef f(): ...\nprint(f._reference)\n")
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert ran.stdout.strip() == str(("__ephemera_main__", "f", str(script)))


def test_a_task_of_a_module_run_with_m_is_found_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "mod.py").write_text(
        "from ephemera import task\n@task\ndef f(): ...\nprint(f._reference)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-m", "mod"], capture_output=True, text=True, cwd=tmp_path
    )
    assert ran.stdout.strip() == str(("mod", "f", ""))


def test_declaring_a_task_imports_neither_the_store_nor_the_client() -> None:
    program = (
        "import sys\nfrom ephemera import task, command\ncommand(['true'])\n"
        "print([m for m in ('sqlalchemy', 'httpx2', 'pydantic', 'uvicorn') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout.strip() == "[]", ran.stderr
