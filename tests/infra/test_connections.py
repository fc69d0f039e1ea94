"""The table of outside services: what the file says, what variables bring about, and how a mistake is told."""

from pathlib import Path

import pytest

from infra.connections import GitHub, Linear, Slack, read_connections
from infra.exits import Misused
from infra.settings import Settings
from workflows.domain.routes import AGENT_TODO
from workflows.domain.unattended import VIA


def settings(tmp_path: Path, text: str | None = None, **more: str) -> Settings:
    if text is not None:
        (tmp_path / "connections.toml").write_text(text)
    return Settings.model_validate({"home": tmp_path, **more})


def test_without_file_and_keys_there_is_nothing(tmp_path: Path) -> None:
    table = read_connections(settings(tmp_path), {})
    assert (table.connections, table.routes) == ({}, ())


def test_one_key_and_one_repository_are_enough_to_begin(tmp_path: Path) -> None:
    table = read_connections(settings(tmp_path, repository="/srv/shop"), {"LINEAR_API_KEY": "k"})
    assert table.connections == {"linear": Linear()}
    assert [(route.tracker, route.repository, route.column) for route in table.routes] == [
        ("linear", "/srv/shop", AGENT_TODO)
    ]


def test_an_empty_variable_brings_nothing_about(tmp_path: Path) -> None:
    assert not read_connections(settings(tmp_path), {"LINEAR_API_KEY": " ", "PAWL_GITHUB_TOKEN": ""}).connections


def test_several_connections_of_a_kind_each_with_its_own_variables(tmp_path: Path) -> None:
    text = """
        poll_seconds = 30
        [connections.linear]
        app_user = "u-1"
        [connections.acme]
        kind = "linear"
        key_env = "ACME_KEY"
        webhook_secret_env = "ACME_HOOK"
        [connections.github]
        [connections.slack]
        ops_channel = "C1"
        channels = [{channel = "C2", repository = "/srv/shop"}]
        [[routes]]
        tracker = "acme"
        team = "ENG"
        label = "agent"
        repository = "https://github.com/acme/shop"
        usd = 5
    """
    table = read_connections(settings(tmp_path, text), {"LINEAR_API_KEY": "k"})
    assert [name for name, _ in table.of(Linear)] == ["linear", "acme"]
    assert [name for name, _ in table.of(GitHub)] == ["github"]
    assert [slack.channels[0].repository for _, slack in table.of(Slack)] == ["/srv/shop"]
    assert (table.poll_seconds, table.routes[0].column, table.routes[0].label) == (30, "", "agent")
    assert {"ACME_KEY", "LINEAR_API_KEY", "SLACK_BOT_TOKEN"} <= table.variables("worker")
    assert "ACME_HOOK" not in table.variables("worker")
    assert {"ACME_HOOK", "SLACK_SIGNING_SECRET"} <= table.variables("ingress")
    assert "ACME_KEY" not in table.variables("ingress")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[connections", "is not TOML"),
        ("[connections.jira]", "kind"),
        ("[connections.linear]\nkey = 'lin_api_x'", "key connections.linear.key: Extra inputs"),
        ("[[routes]]\ntracker = 'linear'\nrepository = '/r'", "no connection is called 'linear'"),
        ("[connections.linear]\n[[routes]]\ntracker = 'linear'", "key routes.0.repository: Field required"),
        ("[connections.board]\nkind = 'linear'", "'board' cannot be the name of a connection"),
        (f"[connections.'{VIA}']\nkind = 'linear'", f"'{VIA}' cannot be the name of a connection"),
        ("[connections.'a:b']\nkind = 'linear'", "'a:b' cannot be the name of a connection"),
        (
            "[connections.github]\nlabel = 'Triage'",
            "key connections.github.label: 'Triage' cannot be the label that asks",
        ),
        (
            "[connections.linear]\n[[routes]]\ntracker = 'linear'\nlabel = 'triage'\nrepository = '/r'",
            "'triage' cannot be the label that asks for work: triage puts it on all it files. Use another.",
        ),
        ("poll_seconds = 1", "key poll_seconds"),
        ("colour = 'red'", "key colour"),
        ("connections = 3", "key connections"),
    ],
)
def test_a_mistake_is_told_with_file_and_key(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(Misused, match=r"connections\.toml") as caught:
        read_connections(settings(tmp_path, text), {})
    assert says in caught.value.cause
    assert "docs/operate/connections.md" in caught.value.next_step


def test_a_secret_where_the_name_of_its_variable_belongs_is_refused_and_not_shown(tmp_path: Path) -> None:
    pasted = "lin_api_9f1c2d3e4b5a"
    with pytest.raises(Misused, match="never the secret itself") as caught:
        read_connections(settings(tmp_path, f"[connections.linear]\nkey_env = '{pasted}'"), {})
    assert "key connections.linear.key_env" in caught.value.cause
    assert pasted not in str(caught.value)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="There is no file"):
        read_connections(settings(tmp_path, connections=str(tmp_path / "nowhere.toml")), {})


def test_a_github_that_is_only_the_forge_is_asked_for_lost_webhooks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which only an app may ask."""
    text = '[connections.github]\n[[routes]]\ntracker = "board"\nrepository = "https://github.com/acme/shop"\n'
    monkeypatch.delenv("PAWL_GITHUB_APP_ID", raising=False)
    assert read_connections(settings(tmp_path, text), {}).looked_at == {"board"}
    monkeypatch.setenv("PAWL_GITHUB_APP_ID", "1")
    assert read_connections(settings(tmp_path, text), {}).looked_at == {"board", "github"}
