"""A Machines API in memory, with a clock of its own, that does what a test tells it to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from ephemera.client.call import Call
from ephemera.errors import Conflict, NotFound, WaitTimeout
from ephemera.testing.clock import FakeClock
from ephemera.wire.models import (
    App,
    ExecResult,
    LogEntry,
    LogPage,
    Machine,
    MachineConfig,
    MachineEvent,
)
from ephemera.wire.own import Reach


def exit_event(**fields: Any) -> MachineEvent:
    said = {"exit_code": 0, "signal": -1, "requested_stop": False, **fields}
    return MachineEvent(type="exit", status="stopped", request={"exit_event": said})


@dataclass
class FakeApi:
    """Stands in for `AsyncClient`; `client` is what the code under test gets."""

    clock: FakeClock = field(default_factory=FakeClock)
    #: Seconds from its start until a machine's program ends by itself.
    runs_for_s: float = 1.0
    #: How it ends by itself.
    exit: dict[str, Any] = field(default_factory=dict[str, Any])
    #: Raised one after the other by `create`, before it works; and with `applied`, after it did.
    create_errors: list[Exception] = field(default_factory=list[Exception])
    applied: bool = False
    destroy_errors: list[Exception] = field(default_factory=list[Exception])
    list_errors: list[Exception] = field(default_factory=list[Exception])
    starts: bool = True
    obeys_stop: bool = True
    #: Seconds from each request to stop until the program has ended.
    stops_in_s: float = 0.0
    shows_exit_event: bool = True
    apps: set[str] = field(default_factory=lambda: {"jobs"})
    machines: dict[str, Machine] = field(default_factory=dict[str, Machine])
    began: dict[str, float] = field(default_factory=dict[str, float])
    calls: list[str] = field(default_factory=list[str])
    log: list[LogEntry] = field(default_factory=list[LogEntry])
    #: Where machines reach this computer; before that, raised one after the other.
    reached_at: str = "127.0.0.1"
    reach_errors: list[Exception] = field(default_factory=list[Exception])
    #: Called when somebody waits: for what happens outside in the meantime.
    meanwhile: Callable[[], object] = lambda: None

    @property
    def client(self) -> Any:
        return SimpleNamespace(
            machines=SimpleNamespace(
                create=self._create,
                get=self._get,
                list=self._list,
                wait=self._wait,
                stop=self._stop,
                destroy=self._destroy,
                exec=self._exec,
            ),
            apps=SimpleNamespace(create=self._create_app, get=self._get_app),
            logs=SimpleNamespace(page=self._page),
            link=SimpleNamespace(run=self._run, place=SimpleNamespace(fly=False)),
        )

    async def _run(self, call: Call[Any]) -> Reach:
        assert call.path == "/ephemera/reach"
        self.calls.append("reach")
        if self.reach_errors:
            raise self.reach_errors.pop(0)
        return Reach(host=self.reached_at)

    async def _create(
        self, app: str, *, config: MachineConfig, name: str, region: str | None
    ) -> Machine:
        self.calls.append("create")
        error = self.create_errors.pop(0) if self.create_errors else None
        if error is not None and not self.applied:
            raise error
        if app not in self.apps:
            raise NotFound("app not found", status=404)
        if any(one.name == name and one.state != "destroyed" for one in self.machines.values()):
            raise Conflict(f"machine name {name} is taken", status=409)
        machine = self.add(name, config)
        if error is not None:
            raise error
        return machine

    def add(self, name: str, config: MachineConfig) -> Machine:
        machine = Machine(id=f"m{len(self.machines) + 1}", name=name, config=config)
        machine.state = "started" if self.starts else "created"
        machine.events = [MachineEvent(type="launch", status="created")]
        self.machines[machine.id] = machine
        self.began[machine.id] = self.clock.now()
        if self.starts:
            self._happens(
                machine,
                MachineEvent(
                    type="start", status="started", timestamp=int(self.clock.now() * 1000)
                ),
            )
        return machine

    def ends(self, machine: Machine, **how: Any) -> None:
        machine.state = "stopped"
        if self.shows_exit_event:
            self._happens(machine, exit_event(**how))

    def _happens(self, machine: Machine, event: MachineEvent) -> None:
        machine.events = [event, *(machine.events or [])]

    async def _get(self, app: str, machine_id: str) -> Machine:
        self.calls.append("get")
        return self._find(machine_id)

    def _find(self, machine_id: str) -> Machine:
        if machine_id not in self.machines:
            raise NotFound("machine not found", status=404)
        return self.machines[machine_id].model_copy(deep=True)

    async def _list(
        self, app: str, *, include_deleted: bool = False, metadata: Mapping[str, str]
    ) -> list[Machine]:
        self.calls.append("list")
        if self.list_errors:
            raise self.list_errors.pop(0)
        return [
            one
            for one in self.machines.values()
            if (include_deleted or one.state != "destroyed")
            and one.config is not None
            and metadata.items() <= (one.config.metadata or {}).items()
        ]

    async def _wait(
        self, app: str, machine_id: str, *, state: Sequence[str], timeout: float
    ) -> None:
        self.calls.append("wait")
        self.meanwhile()
        self._find(machine_id)
        machine = self.machines[machine_id]
        if machine.state in state:
            return
        end = self.began[machine_id] + self.runs_for_s
        if machine.state == "started" and end <= self.clock.now() + timeout:
            self.clock.advance(max(0.0, end - self.clock.now()))
            self.ends(machine, **self.exit)
            return
        self.clock.advance(timeout)
        raise WaitTimeout("not reached", status=408)

    async def _stop(self, app: str, machine_id: str) -> None:
        self.calls.append("stop")
        self._find(machine_id)
        if not self.obeys_stop:
            return
        how = {"exit_code": 143, "signal": 15, "requested_stop": True}
        if self.stops_in_s:
            self.runs_for_s = self.clock.now() + self.stops_in_s - self.began[machine_id]
            self.exit = how
        else:
            self.ends(self.machines[machine_id], **how)

    async def _destroy(self, app: str, machine_id: str, *, force: bool) -> None:
        self.calls.append("destroy")
        if self.destroy_errors:
            raise self.destroy_errors.pop(0)
        self._find(machine_id)
        self.machines[machine_id].state = "destroyed"

    async def _exec(
        self, app: str, machine_id: str, command: Sequence[str], *, timeout: float
    ) -> ExecResult:
        self.calls.append("exec")
        return ExecResult(exit_code=1)

    async def _create_app(self, name: str) -> App:
        self.calls.append("create app")
        self.apps.add(name)
        return App(name=name)

    async def _get_app(self, name: str) -> App:
        return App(name=name)

    async def _page(self, app: str, *, next_token: str | None, machine: str) -> LogPage:
        self.calls.append("log")
        return LogPage(entries=[] if next_token else self.log, next_token="end")
