"""What a pull request says of how it was made."""

from decimal import Decimal

from workflows.domain.budget import Spend
from workflows.domain.change import Check
from workflows.domain.evidence import evidence
from workflows.domain.order import SessionLine
from workflows.domain.session import Role


def line(role: Role, **spend: object) -> SessionLine:
    return SessionLine(session=f"a-long-id.0a1b2c3d.{role}1", role=role, part=1, spend=Spend.model_validate(spend))


def test_sessions_models_cost_and_checks_are_named() -> None:
    sessions = (
        line(Role.PLANNER, turns=2, usd=Decimal("0.10")),
        line(Role.BUILDER, turns=7, usd=Decimal("0.40"), unpriced=1),
    )
    text = evidence("ENG-1", sessions, lambda role: f"x:{role}", (Check(name="t", run="make `x`|y"),))
    assert "**How it was made** (9 turns, $0.50 and 1 call without a price)" in text
    assert "| `ENG-1.0a1b2c3d.planner1` | `x:planner` | 2 | $0.10 |" in text
    assert "Passed on exactly this tree: `make 'x'|y`." in text


def test_a_tape_is_not_taken_for_money() -> None:
    sessions = (line(Role.BUILDER, turns=1, recorded_usd=Decimal("0.20")),)
    assert "(1 turn, $0.20 on the tape)" in evidence("ENG-1", sessions, lambda _: "tape:x", ())


def test_the_run_is_linked_where_people_can_open_it() -> None:
    page = "https://temporal.test/namespaces/default/workflows/ticket:linear:1"
    assert f"`pawl events SESSION`; step by step it is [the run in Temporal]({page})." in evidence(
        "ENG-1", (), str, (), page
    )
    assert "the run in Temporal" not in evidence("ENG-1", (), str, (), "file:///run")
