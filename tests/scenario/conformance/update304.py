"""Updating from a 304."""
from harness import Cases, hit, miss, valid, wait

cases = Cases()
TAG = 'ETag: "a"'
OLD = "Cache-Control: max-age=1"

UPDATED = {
    "Test-Header": ("one", "two"), "X-Test-Header": ("one", "two"), "Content-Foo": ("one", "two"),
    "X-Content-Foo": ("one", "two"), "Content-Location": ("/foo", "/bar"),
    "Content-MD5": ("rL0Y20zC+Fzt72VPzMSk2A==", "N7UdGUp1E+RbVvZSTy1R8g=="),
    "Content-Security-Policy": ("default-src 'self'", "default-src 'self' cdn.example.com"),
    "Content-Type": ("text/plain", "text/plain;charset=utf-8"),
    "Clear-Site-Data": ('"cache"', '"cookies"'), "Public-Key-Pins": ("a", "b"),
    "Set-Cookie": ("a=b", "a=c"), "Set-Cookie2": ("a=b", "a=c"),
    "X-Frame-Options": ("deny", "sameorigin"), "X-XSS-Protection": ("1", "1; mode=block"),
    "Last-Modified": ("Wed, 01 Jan 2020 00:00:00 GMT", "Thu, 02 Jan 2020 00:00:00 GMT"),
    "Date": ("@-5000", "@-2000"),
}
for name, (before, after) in UPDATED.items():
    # max-age=0 with a validator is stored, and stale at once
    cases(f"updated-{name}",
          miss("Cache-Control: max-age=60", TAG, f"{name}: {before}"),
          valid("Cache-Control: max-age=3600", TAG, f"{name}: {after}", want=(f"{name}: {after}",),
                ask=("Cache-Control: no-cache",)),
          hit(f"{name}: {after}", relay=False))
cases("cache-control", miss("Cache-Control: max-age=1", "Age: 1", TAG),
      valid("Cache-Control: max-age=3600", TAG, want=("Cache-Control: max-age=3600",)),
      hit("Cache-Control: max-age=3600", relay=False))
cases("expires", miss("Expires: @-60", "Date: @+0", TAG),
      valid("Expires: @+3600", TAG, want=("Expires: @+3600",)),
      hit("Expires: @+3600", relay=False))
cases("omitted-stays", miss("Cache-Control: max-age=0", TAG, "Test: one"),
      valid(TAG, want=("Test: one",)),
      valid("Cache-Control: max-age=3600", want=("Test: one",)), hit("Test: one", relay=False))
cases("omitted-lifetime-begins-anew", miss("Cache-Control: max-age=60", "Age: 60", TAG),
      valid(TAG), hit(relay=False))
cases("date-validated", miss(OLD, "Last-Modified: @-3000", "Test: one"), wait(1.3),
      valid("Last-Modified: @-3000", "Test: two", want=("Test: two",)))
cases("content-length", miss("Cache-Control: max-age=0", TAG, body=b"0123456789"),
      valid("Cache-Control: max-age=3600", TAG, "Content-Length: 4", want=("Content-Length: 10",)),
      hit("Content-Length: 10", relay=False))
cases("content-encoding", miss("Cache-Control: max-age=0", TAG, "Content-Encoding: x-own"),
      valid("Cache-Control: max-age=3600", TAG, "Content-Encoding: x-other",
            want=("Content-Encoding: x-own",)))
cases("hop-by-hop", miss("Cache-Control: max-age=0", TAG, "a: 1"),
      valid("Cache-Control: max-age=3600", TAG, "Connection: a", "a: 2", "Keep-Alive: x",
            want=("a: 1", "!Keep-Alive")), hit("a: 1", "!Keep-Alive", relay=False))
cases("lines-replaced-as-a-whole", miss("Cache-Control: max-age=0", TAG, "Test: 1", "Test: 2"),
      valid("Cache-Control: max-age=3600", TAG, "Test: 3", want=("Test: 3",)),
      hit("Test: 3", relay=False))
cases("age-of-the-304", miss("Cache-Control: max-age=3600", "Age: 1000", TAG),
      valid("Cache-Control: max-age=3600", TAG, ask=("Cache-Control: no-cache",)),
      hit("Age: 0..9", relay=False))
cases("no-cache-by-304", miss("Cache-Control: max-age=0", TAG),
      valid("Cache-Control: no-cache, max-age=3600", TAG), valid())
