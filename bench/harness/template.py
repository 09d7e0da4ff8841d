"""Configurations of peers are files of bench/peers, as an expert would write them, with places in
capitals between at-signs for what differs from run to run."""
import os
import re

from harness.processes import Failed

PEERS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peers")
PLACE = re.compile(r"@([A-Z][A-Z_]*)@")


def fill(name, values):
    """The text of bench/peers/NAME with its places filled in. A place that nobody knows is a
    mistake of ours."""
    with open(os.path.join(PEERS, name), encoding="utf-8") as template:
        text = template.read()

    def value(match):
        if match[1] not in values:
            raise Failed(f"bench/peers/{name}: nothing is known for {match[0]}")
        return str(values[match[1]])
    return PLACE.sub(value, text)
