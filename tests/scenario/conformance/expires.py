"""Expires."""
from harness import Cases, hit, miss, valid, wait

cases = Cases()

cases("future", miss("Expires: @+3600", "Date: @+0"), hit())
cases("past", miss("Expires: @-3600", "Date: @+0"), miss())
cases("present", miss("Expires: @+0", "Date: @+0"), miss())
cases("clock-ahead", miss("Expires: @+8200", "Date: @+5000"), hit())
cases("clock-ahead-stale", miss("Expires: @+5000", "Date: @+5100"), miss())
cases("clock-behind", miss("Expires: @-5000", "Date: @-8000"), hit())
cases("elapses", miss("Expires: @-99", "Date: @-100"), wait(1.3), miss())
cases("age-slow-date", miss("Expires: @+10", "Date: @-10", "Age: 25"), miss())
cases("age-fast-date", miss("Expires: @+20", "Date: @+10", "Age: 15"), miss())
cases("age-within-slow-date", miss("Expires: @+10", "Date: @-1000", "Age: 25"), hit())
cases("zero", miss("Expires: 0", "Date: @+0"), miss())
cases("zero-is-explicit", miss("Expires: 0", "Date: @+0", "Last-Modified: @-86400"), valid())
cases("no-date", miss("Expires: @+3600"), hit())
cases("bad-date", miss("Expires: @+3600", "Date: foo"), hit())
cases("bad-date-past", miss("Expires: @-3600", "Date: foo"), miss())
