"""Conditional requests to the cache."""
import email.utils
import time

from harness import Cases, hit, miss, valid

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
cases("if-unmodified-since-forwarded", miss(LONG, MODIFIED),
      miss(says=412, ask=("If-Unmodified-Since: @-5000",),
           saw=("If-Unmodified-Since: @-5000",)), hit(text=1))
