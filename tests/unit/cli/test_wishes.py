from __future__ import annotations

from pathlib import Path

import pytest

from ephemera.cli.wishes import Wish, environment, mount
from ephemera.errors import ConfigError
from ephemera.wire.volumes import Volume


def test_a_bare_wish_runs_the_image_as_it_is_and_never_again() -> None:
    assert Wish("img").config() == {"image": "img", "restart": {"policy": "no"}}


def test_everything_that_is_wished_for_is_in_the_config() -> None:
    wish = Wish(
        "img",
        command=["a", "b"],
        entrypoint="/e",
        env={"A": "1"},
        cpus=2,
        restart="always",
        destroyed_at_end=True,
    )
    assert wish.config() == {
        "image": "img",
        "init": {"entrypoint": ["/e"], "cmd": ["a", "b"]},
        "env": {"A": "1"},
        "guest": {"cpu_kind": "shared", "cpus": 2, "memory_mb": 256},
        "restart": {"policy": "always"},
        "auto_destroy": True,
    }


def test_a_user_is_that_of_a_process() -> None:
    config = Wish("img", command=["id"], user="nobody").config()
    assert config["processes"] == [{"cmd": ["id"], "user": "nobody"}]
    assert "init" not in config


def test_a_wish_does_not_print_its_variables() -> None:
    assert "hunter2" not in repr(Wish("img", env={"PASSWORD": "hunter2"}))


def test_words_go_before_the_file_and_take_values_from_here(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("# none\n\n A=file\nB=x=y\n")
    found = environment(["A=word", "HERE", "EMPTY="], file, {"HERE": "ours"})
    assert found == {"A": "word", "B": "x=y", "HERE": "ours", "EMPTY": ""}


@pytest.mark.parametrize("word", ["=x", "", "UNSET"])
def test_what_is_no_variable_is_refused(word: str) -> None:
    with pytest.raises(ConfigError):
        environment([word], None, {})


def test_a_file_that_cannot_be_read_is_refused_without_its_content(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        environment([], tmp_path / "missing", {})
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        environment([], tmp_path / "bytes", {})
    (tmp_path / "secret").write_text("A=1\nhunter2\n")
    with pytest.raises(ConfigError, match="line 2") as caught:
        environment([], tmp_path / "secret", {})
    assert "hunter2" not in str(caught.value)


class TestMount:
    VOLUMES = (
        Volume(id="vol_1", name="data", attached_machine_id="m1"),
        Volume(id="vol_2", name="data"),
        Volume(id="vol_3", name="held", attached_machine_id="m3"),
    )

    def mount(self, word: str) -> dict[str, str]:
        return mount(word, lambda: self.VOLUMES)

    def test_a_name_is_a_volume_that_no_machine_has(self) -> None:
        assert self.mount("data:/d") == {"volume": "vol_2", "path": "/d"}

    def test_an_id_is_taken_as_it_is(self) -> None:
        assert self.mount("vol_9:/d") == {"volume": "vol_9", "path": "/d"}

    def test_whoever_holds_it_is_named(self) -> None:
        with pytest.raises(ConfigError, match="m3"):
            self.mount("held:/d")

    @pytest.mark.parametrize("word", ["data", ":/d", "data:", "data:d", "missing:/d"])
    def test_what_is_none_is_refused(self, word: str) -> None:
        with pytest.raises(ConfigError):
            self.mount(word)
