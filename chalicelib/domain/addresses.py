"""Which addresses a callback may be sent to: public ones, whatever a URL or a resolver says.

The table is IANA's special-purpose registries, what carries an IPv4 address inside an IPv6 one
(a gateway on the way may unwrap it), and where clouds keep their metadata. Of IPv6 only 2000::/3
is given out for use at all; the last rows say so.

>>> refusal(IPv4Address("8.8.8.8")) is None
True
>>> refusal(IPv6Address("::ffff:127.0.0.1"))
'IPv4-mapped'
"""

from ipaddress import IPv4Address, IPv6Address, ip_network

Address = IPv4Address | IPv6Address

LOOPBACK = "loopback"

_TABLE = tuple(
    (ip_network(network), why)
    for network, why in (
        ("169.254.169.254/32", "metadata"),  # AWS, Azure, Google and most others
        ("fd00:ec2::254/128", "metadata"),  # AWS
        ("100.100.100.200/32", "metadata"),  # Alibaba Cloud
        ("168.63.129.16/32", "metadata"),  # Azure, a public address that its hosts answer at
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a carrier"),
        ("127.0.0.0/8", LOOPBACK),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignment"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", LOOPBACK),
        ("::/96", "IPv4-compatible"),
        ("::ffff:0:0/96", "IPv4-mapped"),
        ("::ffff:0:0:0/96", "IPv4-translated"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "NAT64"),
        ("100::/64", "discard"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "protocol assignment"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("fc00::/7", "unique local"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
        ("::/3", "reserved"),
        ("4000::/2", "reserved"),
        ("8000::/1", "reserved"),
    )
)


def refusal(address: Address) -> str | None:
    """Why the address must not be connected to, None if it may be."""
    return next((why for network, why in _TABLE if address in network), None)
