"""Status codes."""
from harness import Cases, hit, miss

cases = Cases()

for status in (200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504,
               599):
    cases(f"fresh-{status}", miss("Cache-Control: max-age=3600", "Location: /x", says=status),
          hit())
    cases(f"stale-{status}", miss("Expires: @-3600", "Date: @+0", says=status), miss())
cases("must-understand-known", miss("Cache-Control: max-age=3600, no-store, must-understand"),
      hit())
cases("must-understand-unknown",
      miss("Cache-Control: max-age=3600, no-store, must-understand", says=599), miss())
cases("must-understand-case",
      miss("Cache-Control: Must-Understand, NO-STORE, max-age=3600"), hit())
cases("error-without-lifetime", miss(says=500), miss(says=500))
