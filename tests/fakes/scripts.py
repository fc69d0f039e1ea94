"""Scripts for the fake provider."""

from collections.abc import Mapping, Sequence

from infra.gateway.tape import read_tape
from tests.fakes.answers import FakeAnswer, Usage
from tests.fakes.provider import Match, Rule
from workflows.domain.session import Role


def rules_of_tape(data: bytes, marks: Mapping[tuple[Role, int], Sequence[str]]) -> list[Rule]:
    """Let the fake provider answer as a tape would: the n-th answer of a role and part goes to the request that holds
    the marks of that role and part and n - 1 earlier answers. What the tape expects is not checked."""
    rules: list[Rule] = []
    taken: dict[tuple[Role, int], int] = {}
    for answer in read_tape(data).answers:
        session = (answer.role, answer.part)
        turn = taken.get(session, 0)
        taken[session] = turn + 1
        content = [block.model_dump(exclude_defaults=True) | {"type": block.type} for block in answer.content]
        usage = answer.usage and Usage(
            input_tokens=answer.usage.input_tokens + answer.usage.cache_read_input_tokens,
            cached_tokens=answer.usage.cache_read_input_tokens,
            output_tokens=answer.usage.output_tokens,
        )
        said = FakeAnswer(content=content, usage=usage or Usage(), stop=answer.stop_reason)
        rules.append(Rule(match=Match(contains=list(marks[session]), turns=turn), answer=said))
    return rules
