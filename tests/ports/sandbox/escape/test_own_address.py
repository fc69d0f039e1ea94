"""An allowed name whose owner has it point at a public address of the machine the sandbox runs on."""

import asyncio
import ctypes
import fcntl
import ipaddress
import os
import socket
import struct
import subprocess
import sys

import pytest

from activities.sandbox.egress.route import ends_here
from tests.ports.sandbox.escape.web import proxied, serving
from workflows.domain.egress import Address

pytestmark = pytest.mark.sandbox

OWN = "9.9.9.9"
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_SET_ADDRESS, _SET_FLAGS, _UP = 0x8916, 0x8914, 1


def live_at(address: str) -> None:
    """Go to a network where this machine has the address, and no other machine is."""
    if ctypes.CDLL(None).unshare(_NEW_NETWORK if os.geteuid() == 0 else _NEW_USER | _NEW_NETWORK) != 0:
        raise OSError("no network of our own")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as some:
        fcntl.ioctl(some, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
        number = socket.inet_aton(address)
        fcntl.ioctl(some, _SET_ADDRESS, struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, number))


async def ask() -> None:
    async def points_here(host: str, port: int) -> list[Address]:
        return [ipaddress.ip_address(OWN)]

    async with serving(OWN) as server:
        request = f"GET http://x.partner.example:{server.port}/ HTTP/1.1\r\n\r\n"
        by_name, by_both = (
            [f"*.partner.example:{server.port}"],
            [f"*.partner.example:{server.port}", f"{OWN}:{server.port}"],
        )
        async with proxied(by_name, points_here) as asked:
            refused = await asked(request)
            assert refused.startswith(b"HTTP/1.1 403 "), refused
            assert b"no public address of another machine" in refused
        assert server.heard == []
        async with proxied(by_both, points_here) as asked:
            assert (await asked(request)).endswith(b"hello")


def look() -> None:
    live_at(OWN)
    found = {text: ends_here(ipaddress.ip_address(text)) for text in (OWN, f"::ffff:{OWN}", "127.0.0.1", "8.8.8.8")}
    assert found == {OWN: True, f"::ffff:{OWN}": True, "127.0.0.1": True, "8.8.8.8": False}
    asyncio.run(ask())


def test_a_name_that_leads_to_this_machines_own_public_address() -> None:
    there = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import look; look()"], capture_output=True, timeout=50, check=False
    )
    assert there.returncode == 0, there.stderr.decode()
