"""What each tool does with real files and real commands, and what the model reads when it does not work."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from pydantic_ai.messages import ToolCallPart

from activities.agent import files, shell
from activities.agent.tools import Bash, Call, Edit, Search, View, definitions, read_call
from activities.agent.transcript import ToolResult
from tests.activities.agent.bench import journal_in
from tests.activities.agent.folders import FolderCheckouts
from workflows.domain.change import Check, Repository
from workflows.domain.session import Role, WorkspaceOrder
from workflows.ports.workspace import Checkout

CALL = Call("tool", "c1", Bash(command="true"))
TEXT = "def one():\n    return 1\n\n\ndef two():\n    return 1\n"


@pytest.fixture
async def checkout(tmp_path: Path) -> Checkout:
    checkouts = FolderCheckouts(tmp_path, journal_in(tmp_path))
    base = tmp_path / "base"
    (base / "pkg").mkdir()
    (base / "pkg" / "mod.py").write_text(TEXT)
    (base / "win.txt").write_bytes(b"a\r\nb\r\nc\r\n")
    (base / "many.txt").write_text("".join(f"line {n}\n" for n in range(1, 1_001)))
    (base / "wide.txt").write_text("x" * 50_000)
    (base / "latin.txt").write_bytes(b"caf\xe9\n")
    (base / "empty.txt").touch()
    repository = Repository(name="r", url="/r", base_branch="main", base_sha="0" * 40)
    return await checkouts.open(WorkspaceOrder(key="k", repository=repository))


Edited = Callable[..., Awaitable[files.Write | ToolResult]]


@pytest.fixture
def edited(checkout: Checkout) -> Edited:
    async def plan(**arguments: object) -> files.Write | ToolResult:
        return await files.plan_edit(checkout, CALL, Edit.model_validate(arguments))

    return plan


async def test_an_edit_replaces_one_place(edited: Edited) -> None:
    done = await edited(path="pkg/mod.py", old="def two():\n    return 1", new="def two():\n    return 2")
    assert isinstance(done, files.Write)
    assert done.data.decode() == TEXT[:-2] + "2\n"
    assert done.text == "Edited pkg/mod.py at line 5."


async def test_an_edit_of_all_places_says_how_many(edited: Edited) -> None:
    done = await edited(path="pkg/mod.py", old="return 1", new="return 0", replace_all=True)
    assert isinstance(done, files.Write)
    assert (done.data.count(b"return 0"), done.text) == (2, "Edited pkg/mod.py at 2 places.")


async def test_a_new_file_and_an_empty_replacement(edited: Edited) -> None:
    new = await edited(path="new/deep.py", old="", new="x = 1\n")
    gone = await edited(path="pkg/mod.py", old="def one():\n    return 1\n\n\n", new="")
    assert isinstance(new, files.Write)
    assert isinstance(gone, files.Write)
    assert (new.data, new.text) == (b"x = 1\n", "Created new/deep.py.")
    assert gone.data == b"def two():\n    return 1\n"


async def test_windows_line_ends_stay(edited: Edited) -> None:
    done = await edited(path="win.txt", old="a\nb", new="a\nx\nb")
    assert isinstance(done, files.Write)
    assert done.data == b"a\r\nx\r\nb\r\nc\r\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"path": "pkg/mod.py", "old": "return 1", "new": "x"}, "2 times, at lines 2, 6"),
        ({"path": "pkg/mod.py", "old": "def tvo():", "new": "x"}, "    5  def two():\n    6      return 1"),
        ({"path": "pkg/mod.py", "old": "zzzzzz qqqqqq", "new": "x"}, "No line looks like it"),
        ({"path": "pkg/mod.py", "old": "def one", "new": "def one"}, "nothing would change"),
        ({"path": "pkg/mod.py", "old": "", "new": "x"}, "pkg/mod.py exists"),
        ({"path": "nope.py", "old": "a", "new": "b"}, "There is no file nope.py"),
        ({"path": "latin.txt", "old": "caf", "new": "b"}, "not UTF-8"),
        ({"path": "pkg", "old": "a", "new": "b"}, "pkg cannot be used"),
        ({"path": "../outside", "old": "", "new": "b"}, "leads out of the checkout"),
    ],
)
async def test_an_edit_never_guesses(edited: Edited, arguments: dict[str, str], said: str) -> None:
    failed = await edited(**arguments)
    assert isinstance(failed, ToolResult)
    assert not failed.ok
    assert said in failed.text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (View(path="pkg/mod.py"), "    1  def one():\n    2      return 1\n    3  \n    4  \n    5  def two():"),
        (View(path="pkg/mod.py", start=5, end=5), "    5  def two():\n[6 lines in all]"),
        (View(path="many.txt"), "  400  line 400\n[1000 lines in all]"),
        (View(path="many.txt", start=999, end=5_000), "  999  line 999\n 1000  line 1000"),
        (View(path="wide.txt"), "x\n[cut here: ask for fewer lines]"),
        (View(path="latin.txt"), "caf\N{REPLACEMENT CHARACTER}"),
        (View(path="empty.txt"), "(empty file)"),
        (View(path="pkg"), "mod.py"),
        (View(path="."), "empty.txt\nlatin.txt\nmany.txt\npkg/"),
    ],
)
async def test_view_shows_files_and_folders(checkout: Checkout, asked: View, said: str) -> None:
    result = await files.view(checkout, "job", CALL, asked)
    assert result.ok
    assert said in result.text
    assert len(result.text) < 21_000


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (View(path="nope.py"), "There is no file nope.py"),
        (View(path="../../etc"), "leads out"),
        (View(path="pkg/mod.py", start=50), "pkg/mod.py has only 6 lines."),
        (View(path="pkg/mod.py", start=5, end=2), "ends before it starts"),
        (View(path="$(touch pwned)"), "There is no file $(touch pwned)"),
    ],
)
async def test_view_says_what_cannot_be_seen(checkout: Checkout, tmp_path: Path, asked: View, said: str) -> None:
    result = await files.view(checkout, "job", CALL, asked)
    assert not result.ok
    assert said in result.text
    assert not (tmp_path / "k" / "files" / "pwned").exists()


async def searched(checkout: Checkout, asked: Search, fallback: bool) -> ToolResult:
    """Search as in a sandbox that has ripgrep, or as in one that has not."""
    command = shell.search_command(asked)
    hidden = command.replace("command -v rg", "false") if fallback else command
    return shell.found(await checkout.run(f"{asked.pattern}{fallback}".encode().hex(), hidden, 30), CALL, asked)


@pytest.mark.parametrize("fallback", [False, True], ids=["ripgrep", "grep"])
@pytest.mark.parametrize(
    ("asked", "ok", "said"),
    [
        (Search(pattern=r"def \w+"), True, "pkg/mod.py:1:def one():\npkg/mod.py:5:def two():"),
        (Search(pattern="line", glob="*.py"), True, "Nothing matches."),
        (Search(pattern="return", glob="*.py"), True, "pkg/mod.py:2:    return 1\npkg/mod.py:6:    return 1"),
        (Search(glob="*.py"), True, "pkg/mod.py"),
        (Search(pattern="it's '; touch pwned; '"), True, "Nothing matches."),
    ],
)
async def test_search_finds_lines_and_files(
    checkout: Checkout, tmp_path: Path, fallback: bool, asked: Search, ok: bool, said: str
) -> None:
    result = await searched(checkout, asked, fallback)
    assert (result.ok, result.text) == (ok, said)
    assert not (tmp_path / "k" / "files" / "pwned").exists()


@pytest.mark.parametrize("fallback", [False, True], ids=["ripgrep", "grep"])
async def test_search_is_capped_and_a_bad_pattern_is_told(checkout: Checkout, fallback: bool) -> None:
    many = await searched(checkout, Search(pattern="."), fallback)
    assert many.text.splitlines()[-1] == "[more than 100 lines: narrow the pattern or the glob]"
    assert len(many.text.splitlines()) == 101
    assert max(map(len, many.text.splitlines())) <= 240
    bad = await searched(checkout, Search(pattern="("), fallback)
    assert not bad.ok
    assert ("Unmatched (" if fallback else "unclosed group") in bad.text


async def test_bash_tells_how_it_ended(checkout: Checkout) -> None:
    failed = await shell.bash(checkout, "a", CALL, Bash(command="echo out; echo err >&2; exit 2"))
    assert (failed.ok, failed.text, failed.line) == (
        False,
        "exited 2\nout\nerr",
        "bash echo out; echo err >&2; exit 2: exited 2",
    )
    late = await shell.bash(checkout, "b", CALL, Bash(command="sleep 20", timeout=1))
    assert (late.ok, late.text) == (False, "timeout")


async def test_checks_are_all_run_and_only_failures_shout(checkout: Checkout) -> None:
    checks = (
        Check(name="lint", run="echo fine"),
        Check(name="tests", run="echo E assert; exit 1"),
        Check(name="types", run="exit 3"),
    )
    result = await shell.run_checks(checkout, "c", CALL, checks)
    assert result.text == "lint: ok\n\ntests: exited 1\nE assert\n\ntypes: exited 3"
    assert (result.ok, result.line) == (False, "run_checks: tests exited 1, types exited 3")
    none = await shell.run_checks(checkout, "d", CALL, ())
    assert "declares no checks" in none.text


def test_a_cut_call_says_that_it_was_cut() -> None:
    read = read_call(Role.BUILDER, ToolCallPart("edit", '{"path": "a.py", "new": "x', tool_call_id="c"), cut=True)
    assert isinstance(read, ToolResult)
    assert read.text.startswith("Your answer reached its greatest length and was cut")
    assert (read.ok, read.valid) == (False, False)


@pytest.mark.parametrize("role", list(Role))
def test_definitions_are_small_sorted_and_described(role: Role) -> None:
    offered = definitions(role)
    assert [tool.name for tool in offered] == sorted(tool.name for tool in offered)
    assert all(tool.description for tool in offered)
    assert "submit" in {tool.name for tool in offered}
    assert len(str([(tool.name, tool.description, tool.parameters_json_schema) for tool in offered])) < 5_000
