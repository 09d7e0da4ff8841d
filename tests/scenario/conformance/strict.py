"""Clients that may not bypass the cache (clients-may-bypass: no)."""
from harness import Cases, error, hit, miss, valid

cases = Cases()
LONG = "Cache-Control: max-age=3600"
TAG = 'ETag: "a"'


def strict(name, *steps):
    cases(name, *steps, only="strict")


strict("max-age", miss(LONG), hit())
for directive in ("no-cache", "max-age=0", "min-fresh=999999", "no-store"):
    strict(f"ignored-{directive.split('=')[0]}", miss(LONG, TAG),
           hit(ask=(f"Cache-Control: {directive}",)))
strict("ignored-pragma", miss(LONG), hit(ask=("Pragma: no-cache",)))
strict("max-stale", miss("Cache-Control: max-age=1", "Age: 1", TAG),
       hit(ask=("Cache-Control: max-stale",)))
strict("only-if-cached", error(ask=("Cache-Control: only-if-cached",), status=504, seen=0))
strict("stale-validates", miss("Cache-Control: max-age=0", TAG),
       valid(ask=("Cache-Control: no-cache",)))
strict("no-store-still-not-stored", miss(LONG, ask=("Cache-Control: no-store",)), miss())
