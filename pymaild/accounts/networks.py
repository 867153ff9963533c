"""Which addresses are likely one household or one office: what wrong passwords and successes are counted by."""

from __future__ import annotations

import ipaddress


def network(ip: str) -> str:
    """An IPv4 /24, an IPv6 /48; this machine itself is one, "here"."""
    try:
        address = ipaddress.ip_address(ip.partition("%")[0].partition("/")[0])
    except ValueError:
        return "here"
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return "here"
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))
