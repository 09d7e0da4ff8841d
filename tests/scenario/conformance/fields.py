"""Storing fields."""
from harness import Cases, hit, miss

cases = Cases()
LONG = "Cache-Control: max-age=3600"

STORED = {
    "Test-Header": "one", "X-Test-Header": "one", "Content-Foo": "one", "X-Content-Foo": "one",
    "Content-Encoding": "x-own", "Content-Location": "/foo", "Content-MD5":
    "rL0Y20zC+Fzt72VPzMSk2A==", "Content-Range": "x", "Content-Security-Policy":
    "default-src 'self'", "Content-Type": "text/plain;charset=utf-8", "Clear-Site-Data": '"cache"',
    "ETag": '"abcdef"', "Expires": "Fri, 01 Jan 2038 01:01:01 GMT", "Public-Key-Pins": "x",
    "Set-Cookie": "a=b", "Set-Cookie2": "a=b", "Strict-Transport-Security": "max-age=5",
    "WWW-Authenticate": "Basic", "X-Frame-Options": "deny", "X-XSS-Protection": "1; mode=block",
    "Content-Disposition": "attachment; filename=example.txt", "Link": "</a>; rel=b",
}
NOT_STORED = {
    "Keep-Alive": "timeout=5", "Proxy-Authenticate": "Basic", "Proxy-Authentication-Info": "x=y",
    "Proxy-Authorization": "x", "Proxy-Connection": "x", "TE": "x", "Upgrade": "x",
    "Connection": "x-other",
}
for name, value in STORED.items():
    cases(f"stored-{name}", miss(LONG, f"{name}: {value}"), hit(f"{name}: {value}"))
for name, value in NOT_STORED.items():
    cases(f"not-stored-{name}", miss(LONG, f"{name}: {value}", "Kept: 1"),
          hit(f"!{name}", "Kept: 1"))
cases("not-stored-transfer-encoding", miss(LONG, framing="chunked"), hit())
cases("listed-in-connection", miss(LONG, "Connection: a, B", "a: 1", "b: 2", "c: 3"),
      hit("!a", "!b", "!Connection", "c: 3"))
cases("several-cookies", miss(LONG, "Set-Cookie: a=b", "Set-Cookie: c=d"), hit())
cases("several-lines", miss(LONG, "Test: a", "Test: b,c"), hit("Test: a, b,c"))
cases("no-cache-with-names", miss('Cache-Control: no-cache="a"', "a: 1", 'ETag: "a"'),
      miss('Cache-Control: no-cache="a"', "a: 1"))

BODY = b"0123456789"
cases("more-than-announced",
      miss(LONG, body=BODY, excess=b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"), hit())
cases("unknown-coding",
      miss(raw=b"HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nTransfer-Encoding: whatever\r\n"
           b"\r\n" + BODY, status=502, seen=None, text=b"*", relay=False),
      miss(LONG), hit())
cases("identity-coding",
      miss(raw=b"HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nTransfer-Encoding: identity\r\n"
           b"\r\n" + BODY, text=BODY, relay=False),
      hit(text=BODY, relay=False))
cases("identity-coding-slow",
      miss(raw=b"HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nTransfer-Encoding: identity\r\n"
           b"\r\n" + BODY, text=BODY, relay=False, linger=5),
      hit("!Transfer-Encoding", text=BODY, relay=False))
cases("close-delimited", miss(LONG, framing="close"), hit())
cases("close-delimited-chunked", miss(LONG, framing="chunked", body=BODY * 10000), hit())
cases("empty", miss(LONG, body=b""), hit())
cases("large", miss(LONG, body=BODY * 100000), hit())
cases("short", miss(LONG, body=BODY, cut=5, whole=False), miss(LONG, body=BODY), hit())
cases("short-chunked", miss(LONG, framing="chunked", cut=5, whole=False), miss(LONG), hit())
cases("bad-chunk",
      miss(raw=b"HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nTransfer-Encoding: chunked\r\n"
           b"\r\n5\r\n01234\r\nzz\r\n", text=BODY, whole=False, relay=False), miss())
