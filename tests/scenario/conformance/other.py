"""Other."""
from harness import Cases, hit, miss, wait

cases = Cases()
LONG = "Cache-Control: max-age=3600"

cases("age-made", miss(LONG, "Date: @+0"), wait(2.1), hit("Age: 2..9"))
cases("age-expires", miss("Expires: @+9999", "Date: @+0", "Age: 30"), wait(2.1), hit("Age: 32..39"))
cases("age-max-age", miss(LONG, "Date: @+0", "Age: 30"), wait(2.1), hit("Age: 32..39"))
cases("age-whole-seconds", miss(LONG), hit("Age: 0..3"))
cases("date-unchanged", miss(LONG, "Date: @-7"), wait(1.2), hit("Date: @-7"))
cases("date-of-receipt", miss(LONG, want=("Date: *",)), hit("Date: *"))
cases("query-is-part", miss(LONG, at="?test=1"), miss(LONG, at="?test=2"),
      hit(at="?test=1", text=1))
cases("query-order", miss(LONG, at="?a=1&b=2"), miss(LONG, at="?b=2&a=1"))
cases("query-empty", miss(LONG, at="?"), miss(LONG))
cases("query-cached", miss(LONG, at="?test=1"), hit(at="?test=1"))
cases("path-case", miss(LONG, at="/a"), miss(LONG, at="/A"))
cases("path-encoding", miss(LONG, at="/%7e"), miss(LONG, at="/~"), miss(LONG, at="/%7E"))
cases("path-dots", miss(LONG, at="/a/../b"), miss(LONG, at="/b"))
cases("two-hosts", miss(LONG), miss(LONG, host=1), hit(text=1), hit(host=1, text=2))
cases("set-cookie", miss(LONG, "Set-Cookie: a=b"), hit("Set-Cookie: a=b"))
cases("set-cookie-heuristic", miss("Last-Modified: @-86400", "Date: @+0", "Set-Cookie: a=b"),
      miss())
cases("set-cookie-refused", miss(LONG, "Set-Cookie: a=b", host=2),
      miss(LONG, "Set-Cookie: a=c", host=2), only="replica")
cases("set-cookie-refused-others-kept", miss(LONG, host=2), hit(host=2), only="replica")
cases("cookie", miss(LONG), hit(ask=("Cookie: a=b",)))
cases("attachment", miss(LONG, "Content-Disposition: attachment; filename=example.txt"), hit())
cases("attachment-heuristic", miss("Last-Modified: @-86400", "Date: @+0",
                                   "Content-Disposition: attachment; filename=example.txt"), hit())
cases("cache-status", miss(LONG, want=("Cache-Status: *",)), hit("Cache-Status: *"))
# Where it lies is told only of what is not in memory; which it is depends on what else goes on.
cases("cache-status-hit", miss(LONG), hit(r"Cache-Status: ~[^;]+; hit; ttl=\d+(; detail=(disk|cold))?"))
