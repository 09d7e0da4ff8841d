"""Methods."""
from harness import Cases, gone, hit, miss, valid

cases = Cases()
LONG = "Cache-Control: max-age=3600"
TAG = 'ETag: "a"'
BODY = b"0123456789"


def itself(case):
    """A Content-Location that is the case's own URL."""
    return f"Content-Location: /methods/{case}"


def post(*lines, **how):
    return miss(*lines, method="POST", send=b"12345", **how)


cases("post-stored", post("Expires: @+3600", "Date: @+0", itself("post-stored")), hit())
cases("post-stored-max-age", post(LONG, itself("post-stored-max-age")), hit())
cases("post-replaces", miss(LONG), post(LONG, itself("post-replaces")), hit(text=2))
cases("post-answers-head", post(LONG, itself("post-answers-head")), hit(method="HEAD"))
cases("post-never-reused", post(LONG, itself("post-never-reused")),
      post(LONG, itself("post-never-reused")))
cases("post-elsewhere", post(LONG, "Content-Location: /elsewhere"), miss())
cases("post-without-location", post(LONG), miss())
cases("post-without-lifetime", post(itself("post-without-lifetime"), "Last-Modified: @-86400"),
      miss())
cases("post-no-store", post("Cache-Control: no-store, max-age=60", itself("post-no-store")), miss())
cases("post-error", miss(LONG), post(LONG, itself("post-error"), says=500), hit(text=1))
cases("put-not-stored", miss(LONG, itself("put-not-stored"), method="PUT", send=b"1"), miss())

cases("get-answers-head", miss(LONG, "Stored: yes"), hit(method="HEAD"), hit())
cases("get-answers-head-length", miss(LONG, body=BODY),
      hit("Content-Length: 10", method="HEAD"))
cases("head-not-stored-as-get", miss(LONG, method="HEAD"), miss(LONG), hit())
cases("head-stale-validates", miss("Cache-Control: max-age=0", TAG),
      valid(LONG, TAG, method="HEAD"),
      hit(LONG, text=1, relay=False))
cases("head-stale-forwarded", miss("Cache-Control: max-age=1", "Age: 1", "Last-Modified: @-50"),
      miss(LONG, "Last-Modified: @-50", method="HEAD", body=b"x" * len("answer 1 of ")))
cases("head-200-confirms",
      miss("Cache-Control: max-age=0", TAG, "Test: 1", "Other: 1", body=BODY),
      miss(LONG, TAG, "Test: 2", body=BODY, method="HEAD"),
      hit("Test: 2", "Other: 1", text=BODY, relay=False))
cases("head-200-other-etag", miss(LONG, TAG, body=BODY),
      miss(LONG, 'ETag: "b"', body=BODY, method="HEAD", ask=("Cache-Control: no-cache",)), miss())
cases("head-200-without-validator", miss(LONG, TAG, body=BODY),
      miss(LONG, "Test: 2", method="HEAD", ask=("Cache-Control: no-cache",), body=BODY),
      valid(LONG, TAG, ask=(), saw=(TAG.replace("ETag", "If-None-Match"),)))
cases("head-200-other-length", miss(LONG, TAG, body=BODY),
      miss(LONG, TAG, body=BODY + b"!", method="HEAD", ask=("Cache-Control: no-cache",)), miss())
cases("head-200-other-date", miss(LONG, "Last-Modified: @-50", body=BODY),
      miss(LONG, "Last-Modified: @-20", body=BODY, method="HEAD", ask=("Cache-Control: no-cache",)),
      miss())
STALE = "Cache-Control: max-age=1, stale-if-error=60"
cases("head-200-same-length", miss(STALE, "Age: 1", body=BODY),
      miss(LONG, "Test: 2", body=BODY, method="HEAD"), hit("Test: 2", text=BODY, relay=False))
# Without a validator and a length there is nothing to compare: monitors would renew it for ever.
cases("head-200-proves-nothing", miss(STALE, "Age: 1", framing="chunked"),
      miss(LONG, method="HEAD", framing="chunked"), miss(LONG, framing="chunked"))
cases("head-200-proves-nothing-of-what-is-fresh", miss(LONG, "Test: 1", framing="chunked"),
      miss(LONG, "Test: 2", method="HEAD", ask=("Cache-Control: no-cache",), framing="chunked"),
      hit("Test: 1", text=1, relay=False))
cases("head-200-proves-nothing-against-it", miss(STALE, "Age: 1", framing="chunked"),
      miss(LONG, method="HEAD", framing="chunked"),
      gone(text=1, relay=False))
cases("head-404-changes-nothing", miss(LONG, body=BODY),
      miss(LONG, says=404, method="HEAD", ask=("Cache-Control: no-cache",)), hit(text=1))
cases("head-no-store-changes-nothing", miss(LONG, TAG, "Test: 1", body=BODY),
      miss("Cache-Control: no-store", TAG, body=BODY, method="HEAD",
           ask=("Cache-Control: no-cache",)), hit("Test: 1", text=BODY, relay=False))
cases("options-not-stored", miss(LONG, method="OPTIONS"), miss(LONG, method="OPTIONS"))
cases("options-leaves-get", miss(LONG), miss(method="OPTIONS"), hit(text=1))
