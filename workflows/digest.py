"""Digest: what waits for people, told to those who keep Pawl running, by a schedule."""

from temporalio import workflow

from workflows.ports.intake import Intake
from workflows.ports.notify import Digest, Notify


@workflow.defn(name="Digest")
class DigestFlow:
    """Silent when nothing waits. Returns how many tickets do."""

    @workflow.run
    async def run(self) -> int:
        step = Intake.step("List what waits for people")
        waiting = await workflow.execute_activity_method(Intake.list_waiting, **step)
        if waiting:
            digest = Digest(key=f"digest-{workflow.info().run_id}", at=workflow.now(), waiting=tuple(waiting))
            telling = Notify.step(f"Tell what waits: {len(waiting)}")
            await workflow.execute_activity_method(Notify.post_digest, digest, **telling)
        return len(waiting)
