"""Addresses: whatever is not public is refused, in every form that leads there."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.domain.addresses import LOOPBACK, refusal

# Written down from the standards, not from the table under test.
REFUSED = {
    "this network (RFC 791)": "0.0.0.0/8",
    "private (RFC 1918)": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16",
    "carrier (RFC 6598)": "100.64.0.0/10",
    "loopback (RFC 1122, 4291)": "127.0.0.0/8 ::1/128",
    "link-local (RFC 3927, 4291)": "169.254.0.0/16 fe80::/10",
    "protocol assignments (RFC 6890, 2928)": "192.0.0.0/24 2001::/23",
    "documentation (RFC 5737, 3849, 9637)": "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 "
    "2001:db8::/32 3fff::/20",
    "benchmarks (RFC 2544, 5180)": "198.18.0.0/15 2001:2::/48",
    "6to4 (RFC 3056, 7526)": "192.88.99.0/24 2002::/16",
    "multicast (RFC 5771, 4291)": "224.0.0.0/4 ff00::/8",
    "reserved, broadcast (RFC 1112, 919)": "240.0.0.0/4 255.255.255.255/32",
    "unspecified (RFC 4291)": "::/128",
    "mapped, compatible, translated (RFC 4291, 2765)": "::ffff:0:0/96 ::/96 ::ffff:0:0:0/96",
    "NAT64 (RFC 6052, 8215)": "64:ff9b::/96 64:ff9b:1::/48",
    "discard (RFC 6666)": "100::/64",
    "Teredo (RFC 4380)": "2001::/32",
    "unique and site local (RFC 4193, 3879)": "fc00::/7 fec0::/10",
    "segment routing (RFC 9602)": "5f00::/16",
    "metadata": "169.254.169.254/32 fd00:ec2::254/128 100.100.100.200/32 168.63.129.16/32",
}
NETWORKS = [ip_network(text) for texts in REFUSED.values() for text in texts.split()]
# What the regional registries were given.
GIVEN_OUT = [
    *(ip_network("2001:200::/23"), ip_network("2001:4200::/23"), ip_network("2003::/18")),
    *(ip_network(f"{first}00::/12") for first in ("24", "26", "28", "2a", "2c")),
]


def within(network: IPv4Network | IPv6Network) -> st.SearchStrategy[IPv4Address | IPv6Address]:
    return st.integers(0, network.num_addresses - 1).map(lambda n: network[n])


@given(st.sampled_from(NETWORKS).flatmap(within))
def test_what_the_standards_set_apart_is_refused(address: IPv4Address | IPv6Address) -> None:
    assert refusal(address)


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_first_and_last_of_each_are_refused(network: IPv4Network | IPv6Network) -> None:
    assert refusal(network[0])
    assert refusal(network[-1])


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
@example(IPv4Address("1.1.1.1"))
@example(IPv4Address("172.32.0.0"))
@example(IPv4Address("198.20.0.0"))
@example(IPv4Address("100.128.0.0"))
@example(IPv4Address("223.255.255.255"))
def test_any_other_ipv4_address_is_public(address: IPv4Address) -> None:
    assert (refusal(address) is None) is not any(address in network for network in NETWORKS)


@given(st.sampled_from(GIVEN_OUT).flatmap(within))
def test_ipv6_addresses_that_were_given_out_are_public(address: IPv6Address) -> None:
    assert refusal(address) is None


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_what_python_calls_local_is_refused(address: IPv6Address) -> None:
    if (
        not address.is_global
        or address.is_multicast
        or address.is_reserved
        or address not in ip_network("2000::/3")
    ):
        assert refusal(address)


@given(st.integers(0, 2**32 - 1))
@example(int(IPv4Address("127.0.0.1")))
@example(int(IPv4Address("169.254.169.254")))
def test_an_ipv4_address_inside_an_ipv6_one_is_refused_whatever_it_is(inner: int) -> None:
    for prefix in ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::"):
        assert refusal(IPv6Address(int(IPv6Address(prefix)) | inner))
    assert refusal(IPv6Address((0x2002 << 112) | (inner << 80)))
    assert refusal(IPv6Address((0x20010000 << 96) | (inner ^ 0xFFFFFFFF)))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("127.0.0.1", LOOPBACK),
        ("127.255.255.254", LOOPBACK),
        ("::1", LOOPBACK),
        ("::ffff:127.0.0.1", "IPv4-mapped"),
        ("::127.0.0.1", "IPv4-compatible"),
        ("fe80::1%eth0", "link-local"),
        ("169.254.169.254", "metadata"),
        ("fd00:ec2::254", "metadata"),
        ("100.100.100.200", "metadata"),
        ("255.255.255.255", "broadcast"),
        ("0.0.0.1", "unspecified"),
        ("2001::1", "Teredo"),
    ],
)
def test_the_reason_is_told(text: str, why: str) -> None:
    assert refusal(ip_address(text)) == why
