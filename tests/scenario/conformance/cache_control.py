"""Parsing Cache-Control."""
from harness import Cases, hit, miss, wait

cases = Cases()

cases("quoted-before", miss('Cache-Control: extension="max-age=3600", max-age=0'), miss())
cases("quoted-after", miss('Cache-Control: max-age=0, extension="max-age=3600"'), miss())
cases("quoted-alone", miss('Cache-Control: extension="a, max-age=3600, b"'), miss())
cases("quoted-escaped", miss(r'Cache-Control: extension="\", max-age=3600", max-age=0'), miss())
cases("quoted-no-store", miss('Cache-Control: max-age=3600, extension="no-store"'), hit())
cases("leading-zeros", miss("Cache-Control: max-age=003600"), hit())
cases("single-quotes", miss("Cache-Control: max-age='3600'"), miss())
cases("letters-before", miss("Cache-Control: max-age=a3600"), miss())
cases("letters-after", miss("Cache-Control: max-age=3600a"), miss())
cases("empty-members", miss("Cache-Control: , ,max-age=3600,,"), hit())
cases("no-spaces", miss("Cache-Control: foo,max-age=3600,bar=1"), hit())
cases("shorter-lifetime-elapses", miss("Cache-Control: max-age=1, foo"), wait(1.3), miss())
