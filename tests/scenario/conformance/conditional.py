"""Conditional requests to the cache."""
import email.utils
import time

from harness import Cases, Step, answer, error, hit, miss, valid

cases = Cases()
LONG = "Cache-Control: max-age=3600"
MODIFIED = "Last-Modified: @-3000"


def not_modified(*ask, want=()):
    return hit(*want, ask=ask, status=304)


cases("date-same", miss(LONG, MODIFIED), not_modified("If-Modified-Since: @-3000"))
cases("date-later", miss(LONG, MODIFIED), not_modified("If-Modified-Since: @-2000"))
cases("date-earlier", miss(LONG, MODIFIED), hit(ask=("If-Modified-Since: @-4000",)))
cases("date-bad", miss(LONG, MODIFIED), hit(ask=("If-Modified-Since: yesterday",)))
cases("date-stale", miss("Cache-Control: max-age=0", MODIFIED),
      valid(LONG, MODIFIED, ask=("If-Modified-Since: @-2000",), status=304,
            saw=("If-Modified-Since: @-3000",)))
cases("date-stale-changed", miss("Cache-Control: max-age=0", MODIFIED),
      miss(LONG, "Last-Modified: @-10", ask=("If-Modified-Since: @-2000",)))
cases("date-without-last-modified", miss(LONG, "Date: @+0"),
      not_modified("If-Modified-Since: @+1"))
EPOCH = int(time.time()) - 3000
FORMS = {
    "rfc850": time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(EPOCH)),
    "asctime": time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(EPOCH)),
}
for name, value in FORMS.items():
    cases(f"date-{name}",
          miss(LONG, f"Last-Modified: {email.utils.formatdate(EPOCH, usegmt=True)}"),
          not_modified(f"If-Modified-Since: {value}"))
    cases(f"date-{name}-stored", miss(LONG, f"Last-Modified: {value}"),
          not_modified(f"If-Modified-Since: {email.utils.formatdate(EPOCH, usegmt=True)}"))

for name, tag in {"strong": '"abcdef"', "weak": 'W/"abcdef"', "obs-text": '"abcdef\xfc"',
                  "comma": '"abc,def"', "empty": '""'}.items():
    cases(f"etag-{name}", miss(LONG, f"ETag: {tag}"),
          not_modified(f"If-None-Match: {tag}", want=(f"ETag: {tag}",)))
cases("etag-weak-of-strong", miss(LONG, 'ETag: "a"'), not_modified('If-None-Match: W/"a"'))
cases("etag-strong-of-weak", miss(LONG, 'ETag: W/"a"'), not_modified('If-None-Match: "a"'))
cases("etag-other", miss(LONG, 'ETag: "a"'), hit(ask=('If-None-Match: "b"',)))
cases("etag-star", miss(LONG, 'ETag: "a"'), not_modified("If-None-Match: *"))
for name, tags in {"first": '"a", "1", "2"', "middle": '"1", "a", "2"', "last": '"1", "2", "a"',
                   "no-spaces": '"1","a","2"', "weak": '"1", W/"a"', "comma": '"1,2", "a"'}.items():
    cases(f"etag-{name}-of-list", miss(LONG, 'ETag: "a"'), not_modified(f"If-None-Match: {tags}"))
cases("etag-none-of-list", miss(LONG, 'ETag: "a"'), hit(ask=('If-None-Match: "b", "c", "ab"',)))
cases("etag-lines", miss(LONG, 'ETag: "a"'),
      not_modified('If-None-Match: "1"', 'If-None-Match: "a"'))
cases("etag-wins-unmodified", miss(LONG, MODIFIED, 'ETag: "a"'),
      not_modified('If-None-Match: "a"', "If-Modified-Since: @-5000"))
cases("etag-wins-modified", miss(LONG, MODIFIED, 'ETag: "a"'),
      hit(ask=('If-None-Match: "b"', "If-Modified-Since: @-1")))
cases("etag-wins-agree", miss(LONG, MODIFIED, 'ETag: "a"'),
      not_modified('If-None-Match: "a"', "If-Modified-Since: @-1"))
cases("etag-without-stored-etag", miss(LONG, MODIFIED),
      hit(ask=('If-None-Match: "a"', "If-Modified-Since: @-1")))
cases("304-fields", miss(LONG, 'ETag: "a"', "Vary: Foo", "Expires: @+60", "Date: @+0",
                         "Content-Location: /x"),
      not_modified('If-None-Match: "a"',
                   want=('ETag: "a"', LONG, "Vary: Foo", "Expires: @+60", "Date: @+0", "Age: 0..5",
                         "Content-Location: /x")))
cases("etag-stale", miss("Cache-Control: max-age=0", 'ETag: "a"'),
      valid(LONG, 'ETag: "a"', ask=('If-None-Match: "a"',), status=304,
            saw=('If-None-Match: "a"',)))
cases("etag-stale-other", miss("Cache-Control: max-age=0", 'ETag: "a"'),
      valid(LONG, 'ETag: "a"', ask=('If-None-Match: "b"',), status=200,
            saw=('If-None-Match: "a"',)))
cases("etag-stale-changed-to-theirs", miss("Cache-Control: max-age=0", 'ETag: "a"'),
      miss(LONG, 'ETag: "b"', ask=('If-None-Match: "b"',), status=304, relay=False), hit())
cases("head", miss(LONG, 'ETag: "a"'),
      hit(ask=('If-None-Match: "a"',), method="HEAD", status=304))
cases("nothing-stored", miss(LONG, 'ETag: "a"', ask=('If-None-Match: "a"',), status=304,
                             relay=False), hit())
cases("error-not-conditional", miss(LONG, 'ETag: "a"', says=404), hit(ask=('If-None-Match: "a"',)))
cases("if-match-forwarded", miss(LONG, 'ETag: "a"'),
      miss(ask=('If-Match: "a"',), saw=('If-Match: "a"',)))
cases("if-match-forwarded-with-range", miss(LONG, 'ETag: "a"', body=b"0123"),
      miss(LONG, 'ETag: "a"', "Content-Range: bytes 0-1/4", says=206, body=b"01",
           ask=('If-Match: "a"', "Range: bytes=0-1"),
           saw=('If-Match: "a"', "Range: bytes=0-1")),
      hit(status=200, text=b"0123", relay=False))
cases("if-match-fails", miss(LONG, 'ETag: "a"'),
      miss(LONG, says=412, ask=('If-Match: "b"',), saw=('If-Match: "b"',)), hit(text=1, relay=False))
cases("if-match-fails-for-head", miss(LONG, 'ETag: "a"'),
      miss(LONG, says=412, method="HEAD", ask=('If-Match: "b"',), saw=('If-Match: "b"',)),
      hit(text=1, relay=False))
cases("if-match-not-stored", miss(LONG, 'ETag: "a"', ask=('If-Match: "a"',)),
      miss(LONG, says=412, ask=('If-Match: "b"',)), miss(LONG), hit())
# Downloads in ranges ask with it (BITS of Windows, for one): while it holds, it changes nothing.
HOLDS, FAILS = "If-Unmodified-Since: @-3000", "If-Unmodified-Since: @-5000"
PART = ("Range: bytes=0-1", HOLDS)
cases("if-unmodified-since-holds", miss(LONG, MODIFIED, body=b"0123"), hit(ask=(HOLDS,)),
      hit(ask=PART, status=206, text=b"01"), hit(ask=(HOLDS,), method="HEAD"))
cases("if-unmodified-since-holds-for-a-part",
      miss(LONG, MODIFIED, "Content-Range: bytes 0-1/4", says=206, body=b"01", ask=PART,
           saw=("Range: bytes=0-1", "!If-Unmodified-Since")),
      hit(ask=PART, status=206, text=b"01"))
cases("if-unmodified-since-holds-validated", miss("Cache-Control: max-age=0", MODIFIED),
      valid(LONG, MODIFIED, ask=(HOLDS,), saw=("!If-Unmodified-Since",)),
      hit(ask=(HOLDS,), relay=False))
cases("if-unmodified-since-fails-on-a-miss",
      Step(ask=(FAILS,), answers=(answer(LONG, MODIFIED), answer(status=412)), seen=2, status=412,
           relay=False, saw=("!If-Unmodified-Since",)))
cases("if-unmodified-since-only-if-cached", miss(LONG, MODIFIED),
      hit(ask=("Cache-Control: only-if-cached", HOLDS)),
      error(ask=("Cache-Control: only-if-cached", FAILS), status=504, seen=0))
cases("if-unmodified-since-forwarded", miss(LONG, MODIFIED),
      miss(says=412, ask=("If-Unmodified-Since: @-5000",),
           saw=("If-Unmodified-Since: @-5000",)), hit(text=1))
