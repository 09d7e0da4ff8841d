"""Ranges as RFC 9110 14 has them: what ought to come, and multipart/byteranges bodies read strictly
(14.6, RFC 2046 5.1). A model that knows nothing of the proxy's."""
import re

RANGES_MAX, SPECS_MAX = 16, 64  # what Larder answers and reads at most

PARAMETER = re.compile(r'^multipart/byteranges;\s*boundary="?([0-9A-Za-z\'()+_,./:=? -]{1,70}?)"?$',
                       re.IGNORECASE)
CONTENT_RANGE = re.compile(r"^bytes (\d+)-(\d+)/(\d+)$")


class Malformed(Exception):
    """What is wrong with a body, in words."""


def resolve(spec, length):
    """(first, last) of "first-last", "first-" or "-suffix"; None: nothing of it is there."""
    first, last = spec.split("-")
    if not first:
        return (max(0, length - int(last)), length - 1) if int(last) else None
    return (int(first), min(int(last or length), length - 1)) if int(first) < length else None


def coalesce(ranges):
    """Ranges joined where they overlap or touch, each at the place of its earliest member."""
    groups = []
    for place, (first, last) in enumerate(ranges):
        members = [g for g in groups if first <= g[1] + 1 and g[0] <= last + 1]
        groups = [g for g in groups if g not in members]
        members.append((first, last, place))
        groups.append((min(m[0] for m in members), max(m[1] for m in members),
                       min(m[2] for m in members)))
    return [g[:2] for g in sorted(groups, key=lambda g: g[2])]


def expected(specs, length):
    """(status, ranges)"""
    there = [r for r in (resolve(spec, length) for spec in specs) if r]
    joined = coalesce(there)
    if len(specs) > SPECS_MAX or len(joined) > RANGES_MAX or \
            sum(last - first + 1 for first, last in there) > length:
        return 200, []
    return (206 if joined else 416), joined


def content_range(text):
    """(first, last, length) of a Content-Range that says all three."""
    match = CONTENT_RANGE.match(text or "")
    if not match:
        raise Malformed(f"Content-Range is {text!r}")
    first, last, length = (int(number) for number in match.groups())
    if not first <= last < length:
        raise Malformed(f"Content-Range is {text!r}")
    return first, last, length


def boundary_of(content_type):
    match = PARAMETER.match(content_type or "")
    if not match:
        raise Malformed(f"Content-Type is {content_type!r}")
    return match[1]


def fields_of(head):
    """Field lines as a dictionary with names in lower case; none may occur twice."""
    fields = {}
    for line in head.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if not colon or name.lower() in fields:
            raise Malformed(f"a part has the line {line!r}")
        fields[name.lower()] = value.strip()
    return fields


def parts(content_type, body):
    """[(first, last, length of the whole, fields, bytes)] in the order they came. A part ends where
    its Content-Range says, and a delimiter must be there: bytes that look like one do no harm."""
    delimiter = b"--" + boundary_of(content_type).encode()
    found = []
    at = 0
    if not body.startswith(delimiter):
        raise Malformed(f"the body begins with {body[:60]!r}")
    while not body.startswith(b"--", at + len(delimiter)):
        at += len(delimiter)
        end = body.find(b"\r\n\r\n", at)
        if not body.startswith(b"\r\n", at) or end < 0:
            raise Malformed(f"behind a delimiter comes {body[at:at + 60]!r}")
        fields = fields_of(body[at + 2:end])
        first, last, length = content_range(fields.get("content-range"))
        at = end + 4 + last - first + 1
        found.append((first, last, length, fields, body[end + 4:at]))
        if not body.startswith(b"\r\n" + delimiter, at):
            raise Malformed(f"behind the part {first}-{last} comes {body[at:at + 60]!r}")
        at += 2
    if body[at + len(delimiter) + 2:] not in (b"", b"\r\n"):
        raise Malformed("there is more behind the end")
    if not found:
        raise Malformed("no parts")
    return found
