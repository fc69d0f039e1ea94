"""Checkouts in plain folders: everything a sandbox does for the agent except protect the host. Jobs outlive callers."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import Journal
from workflows.ports.sandbox import BadSpec, Denied, ExitReason, Gone
from workflows.ports.workspace import Checkout, Checkouts, Ran


class FolderCheckouts(Checkouts):
    """One folder per key; the base commit is the folder `base`."""

    def __init__(self, root: Path, journal: Journal) -> None:
        self.root = root
        self._journal = journal
        (root / "base").mkdir(parents=True, exist_ok=True)

    def folder(self, key: str) -> Path:
        return self.root / key

    async def open(self, order: WorkspaceOrder) -> Checkout:
        folder = self.folder(order.key)
        if not folder.exists():
            making = self.root / f"making-{uuid4().hex}"
            shutil.copytree(self.root / "base", making / "files")
            (making / "jobs").mkdir()
            if order.state:
                shutil.rmtree(making / "files")
                for path, text in json.loads(await self._journal.load(order.state)).items():
                    (making / "files" / path).parent.mkdir(parents=True, exist_ok=True)
                    (making / "files" / path).write_text(text)
            (making / "instance").write_text(uuid4().hex)
            try:
                making.rename(folder)
            except OSError:  # another worker was faster: a folder that is not empty is never replaced
                shutil.rmtree(making)
        return FolderCheckout(folder, self.root / "base", self._journal)

    async def destroy(self, key: str) -> None:
        shutil.rmtree(self.folder(key), ignore_errors=True)


class FolderCheckout(Checkout):
    def __init__(self, folder: Path, base: Path, journal: Journal) -> None:
        self._folder, self._base, self._journal = folder, base, journal
        self.instance = (folder / "instance").read_text()

    async def run(self, job: str, command: str, timeout_seconds: float) -> Ran:
        self._alive()
        where = self._folder / "jobs" / job
        if not where.exists():
            where.mkdir()
            (where / "command").write_text(command)
            script = f"timeout {timeout_seconds} sh $0/command >$0/out 2>&1; code=$?; exec 2>/dev/null"
            script += "; echo $code >$0/new && mv $0/new $0/code"
            detached = ["setsid", "--fork", "sh", "-c", script, f"../jobs/{job}"]
            await asyncio.to_thread(subprocess.run, detached, cwd=self._files, check=True)
        while not (where / "code").exists():
            await asyncio.sleep(0.01)
            self._alive()
        code = int((where / "code").read_text())
        output = (where / "out").read_text(errors="replace")
        if code == 124:
            return Ran(reason=ExitReason.TIMEOUT, code=None, output=output)
        return Ran(reason=ExitReason.EXITED, code=code, output=output)

    async def read(self, path: str, max_bytes: int) -> bytes:
        data = self._inside(path).read_bytes() if not self._inside(path).is_dir() else None
        if data is None or len(data) > max_bytes:
            raise BadSpec(f"{path} is not a file of at most {max_bytes} bytes.")
        return data

    async def write(self, path: str, data: bytes) -> None:
        target = self._inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        new = target.parent / f".{uuid4().hex}"
        new.write_bytes(data)
        new.replace(target)

    async def keep_state(self, job: str) -> str | None:
        self._alive()
        now, base = _contents(self._files), _contents(self._base)
        return await self._journal.keep(json.dumps(now, sort_keys=True).encode()) if now != base else None

    @property
    def _files(self) -> Path:
        return self._folder / "files"

    def _alive(self) -> None:
        if not self._folder.exists() or (self._folder / "instance").read_text() != self.instance:
            raise Gone("The sandbox is gone.")

    def _inside(self, path: str) -> Path:
        self._alive()
        target = self._files / path
        if not target.resolve().is_relative_to(self._files.resolve()) or Path(path).is_absolute():
            raise Denied(f"{path} leads out of the checkout.")
        return target


def _contents(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}
