"""Every command, played against Fly.io as far as it is known.

Each asks for nothing that only a platform of ours has, takes answers without what only such a
platform sends, and keeps within Fly.io's limits. What each asks for is on the page about Fly.io.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ephemera import Client
from ephemera.cli.main import app as command_line
from ephemera.deploy.release import labels
from ephemera.testing.authority import Authority
from ephemera.testing.serving import Server
from tests.fly import reference
from tests.fly.commands import JOBS, LOCAL, PLAYED, REFUSED, RELEASES, Play, name_of, names
from tests.fly.standin import StandIn
from tests.release_world import WEB_OFFERS

APP, HOST = "shop", "shop.example.com"
#: What they look at depends on how soon a machine is what it is to be.
VARY = {"machine run"}
FLY_TOML = f"""\
app = "{APP}"
primary_region = "local"
[processes]
web = "run"
{WEB_OFFERS}"""


@dataclass
class Shop:
    """An app that is deployed, and what its commands asked Fly.io for.

    Attributes:
        asked: The operations, by command.
    """

    fly: StandIn
    folder: Path
    asked: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def play(self, play: Play) -> None:
        """Call a command, which must end as it should."""
        words = self._words()
        for line in play.first:
            self.call(line.format_map(words))
        line = play.line.format_map(words)
        before = len(self.fly.asked)
        output, code, error = self.call(line)
        self.asked[name_of(line)] |= set(self.fly.asked[before:])
        assert code == play.code, f"{line}\n{output}\n{error!r}"
        told = f"{output}{error} {getattr(error, 'hint', '')}"
        assert play.says.format_map(words) in told
        assert self.fly.wrong == []

    def call(self, line: str) -> tuple[str, int, BaseException | None]:
        done = CliRunner().invoke(command_line, shlex.split(line), input="IMPORTED=x\n")
        return done.output, done.exit_code, done.exception

    def _words(self) -> dict[str, str]:
        """Return what there is now that a command may be about."""
        server = self.fly.server
        with Client(server.endpoint.url, server.token) as client:
            if APP not in {one.name for one in client.apps.list().apps}:
                return {"app": APP}
            machines = [one for one in client.machines.list(APP) if labels.group(one) == "web"]
            volumes, addresses = client.volumes.list(APP), client.ips.list(APP)
        return {
            "app": APP,
            "host": HOST,
            "project": str(self.folder / "project"),
            "certificate": f"--cert {self.folder}/{HOST}.pem --key {self.folder}/{HOST}-key.pem",
            "machine": max(machines, key=lambda one: one.created_at).id if machines else "none",
            "volume": volumes[-1].id if volumes else "none",
            "address": addresses[-1].ip or "" if addresses else "none",
        }


@pytest.fixture(scope="module")
def shop(fly: StandIn, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "fly.toml").write_text(FLY_TOML)
    (folder / "project").mkdir()
    (folder / "project" / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    (folder / "project" / "requirements.txt").write_text("flask\n")
    issued = Authority().issue(HOST)
    (folder / f"{HOST}.pem").write_text(issued["fullchain"])
    (folder / f"{HOST}-key.pem").write_text(issued["private_key"])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made = Shop(fly, folder)
        made.play(Play("deploy --image registry.fly.io/{app}:v1", says="created app"))
        yield made


def _ids(play: Play) -> str:
    return play.line.partition(" {")[0].replace(" ", "-")


@pytest.mark.parametrize("play", PLAYED, ids=_ids)
def test_a_command_asks_for_what_fly_has(shop: Shop, play: Play) -> None:
    shop.play(play)
    name = name_of(play.line)
    usual = reference.asked_by_releases() if name in RELEASES else set[str]()
    asked = shop.asked[name] - usual
    wanted = reference.asked(name)
    assert asked == wanted or (name in VARY and asked <= wanted)


@pytest.mark.parametrize("play", REFUSED, ids=_ids)
def test_what_fly_has_not_is_refused_with_what_does_it_there(shop: Shop, play: Play) -> None:
    shop.play(play)
    assert shop.asked[name_of(play.line)] == set()


def test_releases_ask_for_what_the_page_says_they_do(shop: Shop) -> None:
    asked = set[str]().union(*(shop.asked[name] for name in RELEASES))
    assert asked >= reference.asked_by_releases()


def test_each_command_is_on_the_page_and_no_other() -> None:
    played = {name_of(play.line) for play in PLAYED}
    refused = {name_of(play.line) for play in REFUSED}
    assert played | refused | LOCAL | JOBS == names()
    rows = reference.rows()
    assert rows.keys() == names()
    assert {name for name, row in rows.items() if row.startswith("refused")} == refused
    assert {name for name, row in rows.items() if row.startswith("this computer")} == LOCAL
