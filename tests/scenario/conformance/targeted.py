"""Targeted cache control (RFC 9213): counts in a replica, means nothing to a forward proxy."""
from harness import Cases, hit, miss, valid

cases = Cases()


def targeted(name, *lines, reused):
    """The response is, or is not, reused by a replica; by a forward proxy the other way round."""
    for mode in ("replica", "forward"):
        again = hit() if reused == (mode == "replica") else miss()
        cases(f"{name}-{mode}", miss(*lines), again, only=mode)


CDN = "CDN-Cache-Control: "
LONG = "Cache-Control: max-age=3600"
targeted("max-age", CDN + "max-age=3600", reused=True)
for seconds in (2147483648, 99999999999, 999999999999999):
    targeted(f"max-age-{seconds}", CDN + f"max-age={seconds}", reused=True)
targeted("max-age-longer", CDN + "max-age=3600", "Cache-Control: max-age=0", reused=True)
targeted("max-age-shorter", CDN + "max-age=0", LONG, reused=False)
targeted("max-age-0-expires", CDN + "max-age=0", "Expires: @+3600", "Date: @+0", reused=False)
targeted("max-age-past-expires", CDN + "max-age=3600", "Expires: @-3600", "Date: @+0", reused=True)
targeted("max-age-bad-expires", CDN + "max-age=3600", "Expires: 0", "Date: @+0", reused=True)
targeted("private", CDN + "private", LONG, "Expires: @+3600", "Date: @+0", reused=False)
targeted("no-cache", CDN + "no-cache", LONG, "Expires: @+3600", "Date: @+0", reused=False)
targeted("no-store", CDN + "no-store", LONG, "Expires: @+3600", "Date: @+0", reused=False)
targeted("fresh-in-spite-of-no-store", CDN + "max-age=3600", "Cache-Control: no-store", reused=True)
targeted("fresh-in-spite-of-private", CDN + "max-age=3600", "Cache-Control: private", reused=True)
targeted("unknown-members", CDN + 'foobar, max-age=3600, x="y";z', reused=True)
targeted("no-lifetime-hides-expires", CDN + "foo", "Expires: @+3600", "Date: @+0", reused=False)
cases("age-counts", miss(CDN + "max-age=3600", "Age: 7200"), miss())
cases("invalid-type", miss(CDN + "max-age=3600, &&&&&", "Cache-Control: no-store"), miss())
cases("invalid-string", miss(CDN + 'max-age="3600"', "Cache-Control: no-store"), miss())
cases("invalid-decimal", miss(CDN + "max-age=3600.0", "Cache-Control: no-store"), miss())
cases("invalid-negative", miss(CDN + "max-age=-1", LONG), hit(), only="forward")
cases("invalid-space", miss(CDN + "max-age =3600", "Cache-Control: no-store"), miss())
cases("invalid-space-after", miss(CDN + "max-age= 3600", "Cache-Control: no-store"), miss())
cases("invalid-case", miss(CDN + "MaX-aGe=3600", "Cache-Control: no-store"), miss())
cases("invalid-falls-back", miss(CDN + 'max-age="0"', LONG), hit())
cases("invalid-falls-back-to-expires", miss(CDN + "&&", "Expires: @+3600", "Date: @+0"), hit())
cases("relayed", miss(CDN + "foo", LONG), hit(CDN + "foo"), only="forward")
cases("relayed-by-replica", miss(CDN + "max-age=60", LONG), hit(CDN + "max-age=60"), only="replica")
cases("no-cache-validated", miss(CDN + "no-cache", LONG, 'ETag: "a"'), valid(), only="replica")
cases("surrogate-control-ignored", miss("Surrogate-Control: max-age=3600"), miss())

OWN = "Own-Cache-Control: "


def listed(name, *lines, reused):
    """At a site whose list of targeted fields is Own-Cache-Control, CDN-Cache-Control."""
    again = hit(host=2) if reused else miss(host=2)
    cases(f"listed-{name}", miss(*lines, host=2), again, only="replica")


listed("own", OWN + "max-age=3600", "Cache-Control: no-store", reused=True)
listed("first-counts", OWN + "max-age=0", CDN + "max-age=3600", reused=False)
listed("order-of-lines", CDN + "max-age=3600", OWN + "no-store", reused=False)
listed("first-invalid", OWN + "&&", CDN + "max-age=3600", reused=True)
listed("second", CDN + "max-age=3600", reused=True)
cases("listed-elsewhere", miss(OWN + "max-age=3600"), miss())
