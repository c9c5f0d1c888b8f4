"""Where a server is found."""

from ipaddress import ip_address


def url_at(address: str, port: int) -> str:
    """The base URL, for this machine, of a server that listens there; one that listens on all addresses is found on loopback."""
    parsed = ip_address(address)
    if parsed.is_unspecified:
        parsed = ip_address("127.0.0.1" if parsed.version == 4 else "::1")  # noqa: PLR2004 -- of IP
    return f"http://[{parsed}]:{port}" if parsed.version == 6 else f"http://{parsed}:{port}"  # noqa: PLR2004 -- of IP
