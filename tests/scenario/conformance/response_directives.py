"""Response directives, and what requests may ask for."""
from harness import Cases, error, hit, miss, valid, wait

cases = Cases()
TAG = 'ETag: "a"'
LONG = "Cache-Control: max-age=3600"

for directive in ("private", "no-store", "PrIvAtE", "nO-StOrE"):
    cases(f"not-stored-{directive}", miss(f"Cache-Control: {directive}"), miss())
    cases(f"not-stored-fresh-{directive}",
          miss(f"Cache-Control: max-age=10000, {directive}", "Expires: @+10000", "Date: @+0", TAG),
          miss(saw=("!If-None-Match",)))
cases("private-s-maxage", miss("Cache-Control: private, s-maxage=3600", TAG),
      miss(saw=("!If-None-Match",)))
for newer in ("no-store", "no-store, max-age=0"):
    cases(f"newer-{newer.split()[-1]}-keeps-older", miss(LONG),
          miss(f"Cache-Control: {newer}", ask=("Cache-Control: no-cache",)), hit(text=1))
cases("newer-private-keeps-older", miss(LONG, TAG),
      miss("Cache-Control: private", ask=("Cache-Control: max-age=0",)), hit(text=1))
cases("newer-no-store-same-etag", miss(LONG, TAG),
      miss("Cache-Control: no-store", 'ETag: "b"', ask=("Cache-Control: no-cache",)), hit(text=1))

cases("newer-private-validated-again", miss(LONG, TAG, body=b"x" * 100000), wait(.3),
      miss("Cache-Control: private", ask=("Cache-Control: no-cache",)), hit(text=1),
      valid(LONG, TAG, ask=("Cache-Control: no-cache",), text=1), hit(text=1))

cases("no-cache", miss("Cache-Control: no-cache"), miss())
cases("no-cache-fresh", miss("Cache-Control: max-age=10000, no-cache", "Expires: @+10000",
                             "Date: @+0"), miss())
cases("no-cache-case", miss("Cache-Control: max-age=10000, No-CaChE"), miss())
cases("no-cache-validated", miss("Cache-Control: no-cache", TAG),
      valid(saw=('If-None-Match: "a"',)), valid())
cases("no-cache-validated-fresh", miss("Cache-Control: max-age=10000, no-cache", TAG), valid())
cases("no-cache-validated-date", miss("Cache-Control: no-cache", "Last-Modified: @-5000"), valid())
cases("no-cache-by-304", miss("Cache-Control: max-age=0", TAG),
      valid("Cache-Control: no-cache", TAG), valid())

cases("must-revalidate-fresh", miss("Cache-Control: max-age=10000, must-revalidate", TAG), hit())
cases("must-revalidate-stale", miss("Cache-Control: max-age=3, must-revalidate", TAG), hit(),
      wait(3.3), valid())
cases("must-revalidate-max-stale", miss("Cache-Control: max-age=1, must-revalidate", "Age: 1", TAG),
      valid(ask=("Cache-Control: max-stale",)))
cases("proxy-revalidate-stale", miss("Cache-Control: max-age=1, proxy-revalidate", "Age: 1", TAG),
      valid(ask=("Cache-Control: max-stale=100",)))
cases("immutable", miss("Cache-Control: max-age=3600, immutable", TAG),
      hit(ask=("Cache-Control: max-age=0",)))
cases("immutable-stale", miss("Cache-Control: max-age=1, immutable", "Age: 1", TAG), valid())
cases("immutable-no-cache", miss("Cache-Control: max-age=3600, immutable", TAG),
      valid(ask=("Cache-Control: no-cache",)))

cases("request-no-cache", miss(LONG), miss(ask=("Cache-Control: no-cache",)))
cases("request-no-cache-etag", miss(LONG, TAG), valid(ask=("Cache-Control: no-cache",)), hit())
cases("request-no-cache-date", miss(LONG, "Last-Modified: @-5000"),
      valid(ask=("Cache-Control: no-cache",)))
cases("request-pragma", miss(LONG, TAG), valid(ask=("Pragma: no-cache",)))
cases("request-pragma-overruled", miss(LONG, TAG),
      hit(ask=("Pragma: no-cache", "Cache-Control: max-age=100")))
cases("request-pragma-other", miss(LONG, TAG), hit(ask=("Pragma: x",)))
cases("response-pragma", miss(LONG, "Pragma: no-cache"), hit())
cases("request-no-store", miss(LONG, ask=("Cache-Control: no-store",)), miss())
cases("request-no-store-hit", miss(LONG), hit(ask=("Cache-Control: no-store",)))
cases("request-no-store-304", miss("Cache-Control: max-age=0", TAG),
      valid(LONG, TAG, ask=("Cache-Control: no-store",)), valid())
cases("request-max-age-0", miss(LONG, TAG), valid(ask=("Cache-Control: max-age=0",)))
cases("request-max-age", miss(LONG, "Age: 1800", TAG), valid(ask=("Cache-Control: max-age=600",)),
      hit(ask=("Cache-Control: max-age=3600",)))
cases("request-min-fresh", miss("Cache-Control: max-age=1500", "Age: 1000", TAG),
      valid(TAG, "Age: 1000", "Cache-Control: max-age=1500",
            ask=("Cache-Control: min-fresh=1000",)),
      hit(ask=("Cache-Control: min-fresh=300",)))
cases("request-max-stale", miss("Cache-Control: max-age=1500", "Age: 2000", TAG),
      hit(ask=("Cache-Control: max-stale=1000",)), hit(ask=("Cache-Control: max-stale",)),
      valid(ask=("Cache-Control: max-stale=400",)))
cases("request-max-stale-elapsed", miss("Cache-Control: max-age=2"), wait(2.3),
      hit(ask=("Cache-Control: max-stale=1000",)))
cases("only-if-cached", error(ask=("Cache-Control: only-if-cached",), status=504, seen=0))
cases("only-if-cached-hit", miss(LONG), hit(ask=("Cache-Control: only-if-cached",)))
cases("only-if-cached-precondition", miss(LONG, TAG),
      error(ask=("Cache-Control: only-if-cached", 'If-Match: "a"'), status=504, seen=0))
cases("only-if-cached-body", miss(LONG),
      error(ask=("Cache-Control: only-if-cached",), send=b"x", status=504, seen=0))
cases("only-if-cached-post", miss(LONG),
      miss(ask=("Cache-Control: only-if-cached",), method="POST", send=b"x"))
cases("only-if-cached-stale", miss("Cache-Control: max-age=0", TAG),
      error(ask=("Cache-Control: only-if-cached",), status=504, seen=0))
