"""How the processes of one home find each other, and why two stacks cannot share one."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from infra import devserver, home
from infra.exits import Refused
from infra.files import replace_file
from infra.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def stack_file(pid: int, gateway: str = "http://127.0.0.1:2") -> home.StackFile:
    return home.StackFile(pid=pid, temporal="127.0.0.1:1", ui="", gateway=gateway, board="/b", pids={})


def test_a_second_holder_is_refused_in_words_and_the_lock_dies_with_its_holder(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    holds = "import sys; from infra import home; from infra.settings import Settings\n"
    holds += "with home.only_one(Settings()): print('held', flush=True); sys.stdin.read()"
    env = {**os.environ, "PAWL_HOME": str(settings.home)}
    with subprocess.Popen(
        [sys.executable, "-c", holds], cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Refused, match=f"process {holder.pid}"), home.only_one(settings):
            pass
        holder.kill()
        holder.wait()
    with home.only_one(settings):
        assert (settings.home / "stack.lock").read_text() == str(os.getpid())


def test_commands_find_the_running_gateway_unless_told_another(tmp_path: Path) -> None:
    settings = Settings(home=home.made(Settings(home=tmp_path / "home")))
    assert home.located(settings) == settings
    with home.only_one(settings):
        home.write(settings, stack_file(os.getpid(), "http://127.0.0.1:4711"))
        assert home.located(settings).gateway_url == "http://127.0.0.1:4711"
        told = Settings(home=settings.home, gateway_url="http://gateway.test")
        assert home.located(told).gateway_url == "http://gateway.test"


def test_what_a_killed_supervisor_wrote_down_is_not_believed_even_when_its_process_id_lives_again(
    tmp_path: Path,
) -> None:
    settings = Settings(home=tmp_path)
    home.write(settings, stack_file(os.getpid()))
    assert home.stack_file(settings) is None
    with home.only_one(settings):
        pass
    assert home.stack_file(settings) is None
    with home.only_one(settings):
        assert home.stack_file(settings) is not None


def test_looking_whether_a_stack_runs_does_not_keep_one_from_starting(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    home.write(settings, stack_file(os.getpid()))
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            home.stack_file(settings)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(50):
            with home.only_one(settings):
                pass
    finally:
        ended.set()
        looking.join()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}'])
def test_a_damaged_file_is_no_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "server.json").write_text(text)
    assert home.server_file(Settings(home=tmp_path)) is None


def test_the_home_is_for_its_owner_only(tmp_path: Path) -> None:
    made = home.made(Settings(home=tmp_path / "a" / "b"))
    assert [folder.stat().st_mode & 0o777 for folder in (made, made.parent)] == [0o700, 0o700]


@pytest.mark.parametrize(("folder", "file"), [(0o700, 0o600), (0o755, 0o644), (0o750, 0o640), (0o1777, 0o644)])
def test_a_new_file_is_read_by_those_who_read_its_folder_and_written_by_its_owner(
    tmp_path: Path, folder: int, file: int
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(folder)
    replace_file(place / "new", b"1")
    assert (place / "new").stat().st_mode & 0o777 == file
    (place / "new").chmod(0o664)
    replace_file(place / "new", b"2")
    assert (place / "new").stat().st_mode & 0o777 == 0o664, "one that exists keeps its mode"
    replace_file(place / "deeper" / "new", b"3")
    assert (place / "deeper").stat().st_mode & 0o777 == 0o700


def test_a_home_keeps_its_ports_and_two_homes_differ(tmp_path: Path) -> None:
    one, two = Settings(home=tmp_path / "one"), Settings(home=tmp_path / "two")
    assert devserver.free_ports(one) == devserver.free_ports(one)
    ports = {*devserver.free_ports(one).model_dump().values(), *devserver.free_ports(two).model_dump().values()}
    assert len(ports) == 8
