"""Files of the package index, named by their hashes and fetched without running anything that is in them."""

import ast
import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx

from infra.exits import OutOfReach
from workflows.domain.model import Record

ROOT = Path(__file__).resolve().parents[2]
_INDEX, _MORE, _CERTIFICATES = "UV_DEFAULT_INDEX", "UV_INDEX", "SSL_CERT_FILE"
_FROM_PIP = {"index-url": _INDEX, "extra-index-url": _MORE, "cert": _CERTIFICATES}
_LOCK_SECONDS = 180.0
_FILE_SECONDS = 60.0


class Pin(Record):
    """One file of the package index."""

    package: str
    version: str
    file: str
    sha256: str


def fetch_missing(pins: Iterable[Pin], folder: Path, say: Callable[[str], None]) -> None:
    """Put the pinned files into the folder; what is there already is not asked for. Raises OutOfReach."""
    missing = [pin for pin in pins if not _is_there(pin, folder)]
    if not missing:
        return
    say(f"Fetching from the package index: {', '.join(f'{pin.package} {pin.version}' for pin in missing)}")
    index = _index()
    addresses = _addresses(missing, index)
    with httpx.Client(verify=_certificates(index), timeout=_FILE_SECONDS, follow_redirects=True) as web:
        for pin in missing:
            _keep(folder / pin.file, _checked(pin, _download(web, pin, addresses, index)))


def _is_there(pin: Pin, folder: Path) -> bool:
    path = folder / pin.file
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == pin.sha256


def _index() -> dict[str, str]:
    """uv's environment. uv does not read pip's settings, so a machine that is set up for pip is translated for it."""
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    for name, value in _pip_settings().items():
        if name in _FROM_PIP:
            environment.setdefault(_FROM_PIP[name], value)
    return environment


def _pip_settings() -> dict[str, str]:
    beside = str(Path(_uv()).parent)
    python = shutil.which("python", path=beside) or shutil.which("python3") or sys.executable
    asked = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True)
    lines = [line.partition("=") for line in asked.stdout.splitlines() if "=" in line and asked.returncode == 0]
    return {name.rpartition(".")[2]: str(ast.literal_eval(value)) for name, _, value in lines}


def _addresses(pins: Iterable[Pin], index: Mapping[str, str]) -> dict[str, str]:
    """File name to address, as the index tells it. A lock is made from the wheels' metadata, so that no source
    distribution is run, as `pip download` would."""
    wanted = ", ".join(f'"{pin.package}=={pin.version}"' for pin in pins)
    with tempfile.TemporaryDirectory() as folder:
        manifest = '[project]\nname = "pawl-demo"\nversion = "0"\nrequires-python = ">=3.11"\n'
        (Path(folder) / "pyproject.toml").write_text(f"{manifest}dependencies = [{wanted}]\n")
        asked = subprocess.run(
            [_uv(), "lock", "--no-build", "--quiet", "--python", sys.executable],
            cwd=folder,
            env=dict(index),
            capture_output=True,
            text=True,
            timeout=_LOCK_SECONDS,
        )
        if asked.returncode:
            raise OutOfReach(
                f"The package index did not give {wanted}:\n{asked.stderr.strip()}\n",
                "Check the network, or name an index that has it in UV_DEFAULT_INDEX, and start the demo again.",
            )
        lock: dict[str, Any] = tomllib.loads((Path(folder) / "uv.lock").read_text())
    files = [file for package in lock["package"] for file in (package.get("sdist"), *package.get("wheels", ())) if file]
    return {file["url"].rpartition("/")[2]: file["url"] for file in files if "url" in file}


def _uv() -> str:
    """`make` and uv itself say where it is; else it is on PATH, or where `make` puts it."""
    places = (os.environ.get("UV", ""), shutil.which("uv") or "", str(ROOT / ".tools/uv/bin/uv"))
    for place in places:
        if place and os.access(place, os.X_OK):
            return place
    raise OutOfReach("uv is needed to fetch the demo's project and was not found.", "Start it with `make demo`.")


def _certificates(index: Mapping[str, str]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=index.get(_CERTIFICATES) or None)


def _download(web: httpx.Client, pin: Pin, addresses: Mapping[str, str], index: Mapping[str, str]) -> bytes:
    address = addresses.get(pin.file)
    if address is None:
        raise OutOfReach(f"The package index has no {pin.file}.", f"Name one that has it in {_INDEX}.")
    try:
        answer = web.get(_with_credentials(httpx.URL(address), index))
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise OutOfReach(f"{pin.file} could not be fetched: {error}.", "Check the network and start again.") from error
    return answer.content


def _with_credentials(address: httpx.URL, index: Mapping[str, str]) -> httpx.URL:
    """Name and password of the index, where the file is on the same host; a lock does not repeat them."""
    home = httpx.URL(index.get(_INDEX, ""))
    return address.copy_with(userinfo=home.userinfo) if home.userinfo and home.host == address.host else address


def _checked(pin: Pin, data: bytes) -> bytes:
    if hashlib.sha256(data).hexdigest() != pin.sha256:
        raise OutOfReach(f"{pin.file} of the package index is not the file the demo was written for: it is not used.")
    return data


def _keep(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(data)
    part.replace(path)
