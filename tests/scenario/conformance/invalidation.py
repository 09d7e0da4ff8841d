"""Invalidation."""
from harness import Cases, hit, miss

cases = Cases()
LONG = "Cache-Control: max-age=3600"

for method in ("POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "FROB"):
    cases(f"{method}", miss(LONG), miss(method=method, send=b"abc"), miss(LONG), hit())
    for status in (400, 404, 500, 503):
        cases(f"{method}-{status}", miss(LONG), miss(method=method, send=b"abc", says=status),
              hit(text=1))
    for status in (201, 204, 303):
        cases(f"{method}-{status}", miss(LONG), miss(method=method, send=b"abc", says=status),
              miss())
    for field in ("Location", "Content-Location"):
        there = f"/invalidation/{method}-{field}/there"
        cases(f"{method}-{field}", miss(LONG, at="/there"),
              miss(f"{field}: {there}", method=method, send=b"abc"), miss(LONG, at="/there"))
cases("relative-location", miss(LONG, at="/there"),
      miss("Location: relative-location/there", method="POST", send=b"x"), miss(at="/there"))
cases("error-location", miss(LONG, at="/there"),
      miss("Location: /invalidation/error-location/there", method="POST", send=b"x", says=500),
      hit(at="/there", text=1))
cases("get-location", miss(LONG, at="/there"), miss("Location: /invalidation/get-location/there"),
      hit(at="/there", text=1))
cases("other-origin", miss(LONG, host=1),
      miss("Location: http://127.0.0.2/invalidation/other-origin",
           "Content-Location: http://host1.test/invalidation/other-origin",
           method="POST", send=b"x"),
      hit(host=1, text=1))
cases("other-host-same-path", miss(LONG, host=1), miss(method="DELETE"), hit(host=1, text=1))
cases("safe-methods", miss(LONG), miss(method="OPTIONS"), hit(text=1), miss(method="HEAD",
      ask=("Cache-Control: no-cache",), says=404), hit(text=1))
cases("query-of-its-own", miss(LONG, at="?a"), miss(method="POST", send=b"x"), hit(at="?a", text=1))
cases("all-variants", miss(LONG, "Vary: Foo", ask=("Foo: 1",)), miss(LONG, "Vary: Foo",
      ask=("Foo: 2",)), miss(method="PUT", send=b"x"), miss(ask=("Foo: 1",)), miss(ask=("Foo: 2",)))
cases("head-too", miss(LONG), miss(method="PUT", send=b"x"), miss(method="HEAD"))
