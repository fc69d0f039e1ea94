"""Which addresses are this machine's own, by the kernel's word: a public one may be, too."""

import errno
import os
import socket
import struct
from ipaddress import IPv6Address

from workflows.domain.egress import Address

_GET_ROUTE, _NEW_ROUTE, _REQUEST = 26, 24, 1
_DESTINATION = 1
_NONE, _UNICAST = 0, 1
_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_ERROR = struct.Struct("=i")


def ends_here(address: Address) -> bool:
    """Whether what is sent there stays on this machine: an address of its own, or one it answers for; also where the
    kernel does not say. What nothing leads to does not."""
    try:
        return _route_type(_plain(address)) not in (_UNICAST, _NONE)
    except OSError:
        return True


def _plain(address: Address) -> Address:
    """What a connection to an IPv4 address in the form of IPv6 goes to."""
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _route_type(address: Address) -> int:
    """Raises OSError."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    number = address.packed
    route = _ROUTE.pack(family, len(number) * 8, 0, 0, 0, 0, 0, 0, 0)
    asked = route + _ATTRIBUTE.pack(_ATTRIBUTE.size + len(number), _DESTINATION) + number
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(1)
        kernel.sendto(_HEADER.pack(_HEADER.size + len(asked), _GET_ROUTE, _REQUEST, 1, 0) + asked, (0, 0))
        said = kernel.recv(65_536)
    if _HEADER.unpack_from(said)[1] == _NEW_ROUTE:
        return _ROUTE.unpack_from(said, _HEADER.size)[7]
    failed = -_ERROR.unpack_from(said, _HEADER.size)[0]
    if failed in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return _NONE
    raise OSError(failed, os.strerror(failed))
