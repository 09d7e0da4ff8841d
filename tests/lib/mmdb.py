#!/usr/bin/env python3
"""Writes a small MaxMind database (format 2.0) with a location per network, for tests.

Usage: mmdb.py OUT NETWORK=LATITUDE,LONGITUDE ...

IPv4 networks are put behind ::/96 as in the databases one can buy, with ::ffff:0:0/96 as an alias.
"""
import ipaddress
import struct
import sys

RECORD_BITS = 24
UINT16, UINT32, UINT64 = 5, 6, 9
MARKER = b"\xab\xcd\xefMaxMind.com"


def encode(value):
    """One value of the data section: dict, list, str, float, or (kind, unsigned number)."""
    if isinstance(value, dict):
        body = b"".join(encode(k) + encode(v) for k, v in value.items())
        return control(7, len(value)) + body
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(encode(v) for v in value)
    if isinstance(value, str):
        return control(2, len(value)) + value.encode()
    if isinstance(value, float):
        return control(3, 8) + struct.pack(">d", value)
    kind, number = value
    raw = number.to_bytes(8, "big").lstrip(b"\0")
    return control(kind, len(raw)) + raw if kind < 8 else bytes([len(raw), kind - 7]) + raw


def control(kind, size):
    if size < 29:
        return bytes([kind << 5 | size])
    return bytes([kind << 5 | 29, size - 29])


class Tree:
    """Nodes are [left, right]; a record is None, a node number, or ("data", offset)."""

    def __init__(self):
        self.nodes = [[None, None]]

    def insert(self, bits, record):
        node = 0
        for bit in bits[:-1]:
            below = self.nodes[node][bit]
            if not isinstance(below, int):
                self.nodes.append([below, below])
                below = len(self.nodes) - 1
                self.nodes[node][bit] = below
            node = below
        self.nodes[node][bits[-1]] = record

    def node_at(self, bits):
        node = 0
        for bit in bits:
            node = self.nodes[node][bit]
        return node


def bits_of(network):
    if network.version == 4:
        value, length = int(network.network_address), network.prefixlen + 96
    else:
        value, length = int(network.network_address), network.prefixlen
    return [value >> (127 - i) & 1 for i in range(length)]


def build(places):
    tree, data, offsets = Tree(), b"", {}
    places.sort(key=lambda place: len(bits_of(place[0])))
    for network, latitude, longitude in places:
        key = (latitude, longitude)
        if key not in offsets:
            offsets[key] = len(data)
            data += encode({"location": {"latitude": latitude, "longitude": longitude}})
        tree.insert(bits_of(network), ("data", offsets[key]))
    if any(network.version == 4 for network, _, _ in places):
        v4 = tree.node_at([0] * 96)
        tree.insert([0] * 80 + [1] * 16, v4)
    return tree, data


def search_tree(tree):
    count = len(tree.nodes)

    def record(value):
        if value is None:
            return count
        if isinstance(value, int):
            return value
        return count + 16 + value[1]

    return b"".join(record(side).to_bytes(3, "big") for node in tree.nodes for side in node)


def main():
    places = []
    for argument in sys.argv[2:]:
        network, place = argument.split("=")
        latitude, longitude = (float(number) for number in place.split(","))
        places.append((ipaddress.ip_network(network), latitude, longitude))
    tree, data = build(places)
    metadata = {
        "binary_format_major_version": (UINT16, 2),
        "binary_format_minor_version": (UINT16, 0),
        "build_epoch": (UINT64, 1700000000),
        "database_type": "Larder-Test-City",
        "languages": ["en"],
        "description": {"en": "networks of a test"},
        "ip_version": (UINT16, 6),
        "node_count": (UINT32, len(tree.nodes)),
        "record_size": (UINT16, RECORD_BITS),
    }
    with open(sys.argv[1], "wb") as out:
        out.write(search_tree(tree) + b"\0" * 16 + data + MARKER + encode(metadata))


if __name__ == "__main__":
    main()
