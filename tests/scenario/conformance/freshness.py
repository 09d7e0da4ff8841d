"""Freshness from Cache-Control."""
from harness import Cases, hit, miss, valid, wait

cases = Cases()
TAG = 'ETag: "a"'

cases("max-age", miss("Cache-Control: max-age=3600"), hit())
cases("max-age-stale", miss("Cache-Control: max-age=1", TAG), wait(1.3), valid())
cases("max-age-reached", miss("Cache-Control: max-age=60", "Age: 60", TAG), valid())
cases("max-age-not-yet", miss("Cache-Control: max-age=60", "Age: 30"), hit())
cases("max-age-0", miss("Cache-Control: max-age=0"), miss())
cases("max-age-0-validated", miss("Cache-Control: max-age=0", TAG), valid())
cases("max-age-negative", miss("Cache-Control: max-age=-3600"), miss())
cases("max-age-over-past-expires",
      miss("Cache-Control: max-age=3600", "Expires: @-10000", "Date: @+0"), hit())
cases("max-age-over-bad-expires",
      miss("Cache-Control: max-age=3600", "Expires: 0", "Date: @+0"), hit())
cases("max-age-0-over-future-expires",
      miss("Cache-Control: max-age=0", "Expires: @+10000", "Date: @+0"), miss())
for seconds in (2147483647, 2147483648, 2147483649, 99999999999, 10**30):
    cases(f"max-age-{seconds}", miss(f"Cache-Control: max-age={seconds}"), hit())
cases("age-counts", miss("Cache-Control: max-age=3600", "Age: 7200"), miss())

cases("s-maxage", miss("Cache-Control: s-maxage=3600"), hit())
cases("s-maxage-longer", miss("Cache-Control: s-maxage=3600, max-age=0"), hit())
cases("s-maxage-longer-after", miss("Cache-Control: max-age=0, s-maxage=3600"), hit())
cases("s-maxage-longer-line", miss("Cache-Control: max-age=0", "Cache-Control: s-maxage=3600"),
      hit())
cases("s-maxage-shorter", miss("Cache-Control: max-age=3600, s-maxage=0"), miss())
cases("s-maxage-shorter-before", miss("Cache-Control: s-maxage=0, max-age=3600"), miss())
cases("s-maxage-shorter-line", miss("Cache-Control: s-maxage=0", "Cache-Control: max-age=3600"),
      miss())
cases("s-maxage-over-expires",
      miss("Cache-Control: s-maxage=3600", "Expires: @-100", "Date: @+0"), hit())
cases("s-maxage-0-over-expires",
      miss("Cache-Control: s-maxage=0", "Expires: @+3600", "Date: @+0"), miss())
cases("s-maxage-age", miss("Cache-Control: s-maxage=3600", "Age: 7200"), miss())

cases("unknown-directive", miss("Cache-Control: foobar, max-age=3600"), hit())
cases("unknown-directive-value", miss('Cache-Control: max-age=3600, foobar="x, y"'), hit())
cases("case", miss("Cache-Control: MaX-aGe=3600"), hit())
cases("several-lines", miss("Cache-Control: foobar", "Cache-Control: max-age=3600"), hit())
