"""Heuristic freshness."""
from harness import Cases, hit, miss, wait

cases = Cases()
OLD = ("Last-Modified: @-86400", "Date: @+0")

for status in (200, 203, 204, 404, 405, 410, 414, 501):
    cases(f"reused-{status}", miss(*OLD, says=status), hit())
for status in (201, 202, 403, 502, 503, 504, 599):
    cases(f"not-reused-{status}", miss(*OLD, says=status), miss())
cases("unknown-public", miss(*OLD, "Cache-Control: public", says=599), hit())
cases("a-tenth-is-over", miss("Last-Modified: @-10", "Date: @+0"), wait(1.3), miss())
cases("a-tenth-is-not-over", miss("Last-Modified: @-3600", "Date: @+0", "Age: 300"), hit())
cases("a-tenth-with-age", miss("Last-Modified: @-3600", "Date: @+0", "Age: 400"), miss())
cases("date-counts-not-the-clock", miss("Last-Modified: @-90000", "Date: @-3600"), hit())
cases("future-last-modified", miss("Last-Modified: @+3600", "Date: @+0"), miss())
cases("explicit-wins", miss(*OLD, "Cache-Control: max-age=0"), miss())
cases("query", miss(*OLD, at="?a=b"), hit(at="?a=b"))
