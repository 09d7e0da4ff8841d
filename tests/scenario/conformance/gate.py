"""The gate: what every proxy has to do right before caching is worth talking about."""
from harness import Cases, hit, miss, valid

cases = Cases()

cases("nothing-explicit", miss(), miss())
cases("date-only", miss("Date: @+0"), miss())
cases("put-forwarded", miss(method="PUT", send=b"1234"))
cases("unknown-method-forwarded", miss(method="FROB"), miss(method="FROB", send=b"x"))
for status in (299, 499, 599, 999):
    cases(f"status-{status}", miss(says=status), miss(says=status))
cases("fields-unchanged",
      miss("X-One: a,b , c;d=\"e, f\"", "X-Two:   spaces   inside  ", "X-Three: \xe4\xf6",
           "Test-Header: 1", "test-header: 2", "Content-Type: text/Plain ;charset=UTF-8",
           "Warning: 199 - \"x\"", "Server: own/1.0"))
cases("set-cookie-lines", miss("Set-Cookie: a=b; Path=/", "Set-Cookie: c=d"))
cases("age-on-a-miss", miss("Cache-Control: max-age=3600", "Age: 100"))
cases("date-unchanged", miss("Date: @-5000"))
cases("request-fields",
      miss(ask=("X-One: a,  b", "Accept: text/*;q=0.3, */*", "User-Agent: u", "Cookie: a=b; c=d",
                "TE: trailers", "X-Hop: 1", "Connection: x-hop"),
           saw=("X-One: a,  b", "Accept: text/*;q=0.3, */*", "User-Agent: u", "Cookie: a=b; c=d",
                "Via: *", "!X-Hop", "!TE")))
cases("request-body", miss(method="POST", send=b"0123456789" * 1000))
cases("via-both-ways", miss("Via: 1.1 up", ask=("Via: 1.1 down",), saw=("Via: *",), relay=False,
                            want=("Via: *",)))
OLD = b"HTTP/1.0 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 3\r\n\r\nabc"
cases("via-received-protocol", miss(raw=OLD, text=b"abc", want=("Via: ~1.0 .*",)),
      hit("Via: ~1.0 .*", text=b"abc"))
cases("not-repeated-after-head", miss("Cache-Control: max-age=60", cut=5, whole=False))
cases("not-repeated-after-head-chunked", miss(framing="chunked", cut=5, whole=False))
cases("revalidation-carries-fields",
      miss("Cache-Control: max-age=0", 'ETag: "a"', ask=("X-User: 1",)),
      valid(ask=("X-User: 2", "Cookie: c=2", "Accept: a/b", "User-Agent: me"),
            saw=("X-User: 2", "Cookie: c=2", "Accept: a/b", "User-Agent: me",
                 'If-None-Match: "a"')))
cases("background-carries-fields",
      miss("Cache-Control: max-age=1, stale-while-revalidate=3600", "Age: 1", 'ETag: "a"'),
      hit(ask=("X-User: 2", "Cookie: c=2", "Accept-Encoding: gzip"), later=1,
          saw=("X-User: 2", "Cookie: c=2", "Accept-Encoding: gzip", 'If-None-Match: "a"')))
cases("warning-never-made", miss("Cache-Control: max-age=1", "Age: 1", 'ETag: "a"'),
      hit("!Warning", ask=("Cache-Control: max-stale",)))
cases("get-with-body",
      miss("Cache-Control: max-age=3600"), miss("Cache-Control: max-age=3600", send=b"x"),
      hit(text=1))
cases("get-with-body-not-stored", miss("Cache-Control: max-age=3600", send=b"x"), miss())
cases("head-with-body",
      miss("Cache-Control: max-age=3600"),
      miss("Cache-Control: max-age=3600", method="HEAD", send=b"x"))
