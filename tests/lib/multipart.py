"""multipart/byteranges bodies (RFC 9110 14.6, RFC 2046 5.1), read strictly."""
import re

PARAMETER = re.compile(r'^multipart/byteranges;\s*boundary="?([0-9A-Za-z\'()+_,./:=? -]{1,70}?)"?$',
                       re.IGNORECASE)
CONTENT_RANGE = re.compile(r"^bytes (\d+)-(\d+)/(\d+)$")


class Malformed(Exception):
    """What is wrong with a body, in words."""


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
