"""Ranges."""
from harness import Cases, answer, hit, miss, valid, Step

cases = Cases()
LONG = "Cache-Control: max-age=3600"
BODY = b"0123456789A"


def whole(*lines):
    return miss(LONG, *lines, body=BODY)


def part(wanted, text, where, *ask, **how):
    return hit(f"Content-Range: bytes {where}/11", f"Content-Length: {len(text)}",
               ask=(f"Range: bytes={wanted}", *ask), status=206, text=text, **how)


cases("first-last", whole("Test: x"), part("0-1", b"01", "0-1"))
cases("first", whole(), part("1-", b"123456789A", "1-10"))
cases("suffix", whole(), part("-1", b"A", "10-10"))
cases("suffix-longer", whole(), part("-100", BODY, "0-10"))
cases("last-beyond", whole(), part("5-100", BODY[5:], "5-10"))
cases("middle-byte", whole(), part("5-5", b"5", "5-5"))
cases("fields", whole("Test: x", 'ETag: "a"', "Date: @-9", "Content-Type: a/b"),
      hit("Test: x", 'ETag: "a"', "Date: @-9", "Content-Type: a/b", "Age: 0..5",
          ask=("Range: bytes=0-1",), status=206, text=b"01"))
cases("unsatisfiable", whole(), hit("Content-Range: bytes */11", ask=("Range: bytes=11-",),
                                    status=416, text=b""))
cases("other-unit", whole(), hit(ask=("Range: lines=0-1",)))
cases("bad-syntax", whole(), hit(ask=("Range: bytes=5-2",)))
cases("if-range-etag", whole('ETag: "a"'), part("0-1", b"01", "0-1", 'If-Range: "a"'))
cases("if-range-other", whole('ETag: "a"'), hit(ask=("Range: bytes=0-1", 'If-Range: "b"')))
cases("if-range-weak", whole('ETag: W/"a"'), hit(ask=("Range: bytes=0-1", 'If-Range: W/"a"')))
cases("if-none-match-first", whole('ETag: "a"'),
      hit(ask=("Range: bytes=0-1", 'If-None-Match: "a"'), status=304))
cases("head-ignores-range", whole(), hit("Content-Length: 11", ask=("Range: bytes=0-1",),
                                         method="HEAD", status=200))
cases("not-200-ignores-range", miss(LONG, body=BODY, says=404), hit(ask=("Range: bytes=0-1",)))
cases("forwarded-when-nothing-stored",
      Step(ask=("Range: bytes=0-1",), saw=("Range: bytes=0-1",),
           answers=(answer(LONG, "Content-Range: bytes 0-1/11", status=206, body=b"01"),)))

def said(wanted, where, text, *lines, **how):
    """A 206 of the origin."""
    return miss(LONG, 'ETag: "a"', f"Content-Range: bytes {where}", *lines,
                ask=(f"Range: bytes={wanted}",), says=206, body=text, **how)


cases("206-reused", said("-5", "5-9/10", b"56789"),
      hit(ask=("Range: bytes=-5",), status=206, text=b"56789"))
cases("206-smaller", said("-5", "5-9/10", b"56789"),
      hit("Content-Range: bytes 6-8/10", ask=("Range: bytes=6-8",), status=206, text=b"678",
          relay=False),
      hit("Content-Range: bytes 6-9/10", ask=("Range: bytes=6-",), status=206, text=b"6789",
          relay=False),
      hit("Content-Range: bytes 9-9/10", ask=("Range: bytes=-1",), status=206, text=b"9",
          relay=False),
      )
cases("206-completed", said("0-4", "0-4/10", b"01234"),
      Step(saw=("Range: bytes=5-",), status=200, text=b"0123456789", relay=False,
           answers=(answer(LONG, 'ETag: "a"', "Content-Range: bytes 5-9/10", status=206,
                           body=b"56789"),)),
      hit(status=200, text=b"0123456789", relay=False))
cases("206-completed-of-the-whole", said("0-4", "0-4/10", b"01234"),
      Step(saw=("Range: bytes=5-",), status=200, text=b"0123456789", relay=False,
           want=(r"Cache-Status: ~[^;]+; fwd=partial; fwd-status=200; .*",),
           answers=(answer(LONG, 'ETag: "a"', body=b"0123456789"),)))
REST = (answer(LONG, 'ETag: "a"', "Content-Range: bytes 5-9/10",
               "Content-Digest: sha-256=:BB==:", "Content-MD5: BB==", status=206, body=b"56789"),)
ALL = "!Content-Digest", "!Content-MD5", "!Content-Range", "Repr-Digest: sha-256=:AA==:"
cases("206-digests-are-of-the-part",
      said("0-4", "0-4/10", b"01234", "Content-Digest: sha-256=:BB==:", "Content-MD5: BB==",
           "Repr-Digest: sha-256=:AA==:", relay=False),
      Step(saw=("Range: bytes=5-",), status=200, text=b"0123456789", relay=False, answers=REST,
           want=ALL),
      hit(*ALL, status=200, text=b"0123456789", relay=False))
cases("206-updates-fields", said("0-4", "0-4/10", b"01234", "Test: old", "Other: kept"),
      Step(saw=("Range: bytes=5-",), status=200, text=b"0123456789", relay=False,
           want=("Test: new", "Other: kept", "Age: 100..160"),
           answers=(answer(LONG, 'ETag: "a"', "Content-Range: bytes 5-9/10", "Test: new",
                           "Age: 100", status=206, body=b"56789"),)),
      hit("Test: new", "Other: kept", "Age: 100..160", status=200, text=b"0123456789",
          relay=False))
cases("several", whole('ETag: "a"'),
      hit("Content-Type: *", ask=("Range: bytes=0-1,5-6",), status=206, text=b"*"))
cases("several-joined", whole(), part("0-1,2-3", b"0123", "0-3"))
cases("too-many", whole(),
      hit(ask=("Range: bytes=" + ",".join(f"{n % 5 * 2}-{n % 5 * 2}" for n in range(40)),)))
cases("206-unasked", miss(LONG, "Content-Range: bytes 0-1/10", says=206, body=b"01"), miss())
cases("416-relayed", miss("Content-Range: bytes */5", says=416, ask=("Range: bytes=9-",)), miss())
# Whoever resumes what has become shorter meanwhile wants all of what there is now.
cases("416-under-other-if-range",
      Step(ask=("Range: bytes=9-", 'If-Range: "a"'), saw=("Range: bytes=9-", "!If-Range"), seen=2,
           answers=(answer("Content-Range: bytes */5", status=416),
                    answer(LONG, 'ETag: "b"', body=b"abcde")), status=200, text=b"abcde"))
cases("416-under-same-if-range",
      miss("Content-Range: bytes */5", 'ETag: "a"', says=416,
           ask=("Range: bytes=9-", 'If-Range: "a"')))
cases("206-other-etag-begins-anew", said("0-4", "0-4/10", b"01234"),
      miss(LONG, 'ETag: "b"', body=b"abcdefghij", saw=("Range: bytes=5-", 'If-Range: "a"')),
      hit(ask=("Range: bytes=0-4",), status=206, text=b"abcde", relay=False))
# Too large to be replaced in one go: it is known in parts itself while it arrives.
LARGE, OTHER = b"0123456789" * 150_000, b"abcdefghij" * 150_000
cases("206-other-etag-begins-anew-large", said("0-4", f"0-4/{len(LARGE)}", LARGE[:5]),
      miss(LONG, 'ETag: "b"', body=OTHER, saw=("Range: bytes=5-", 'If-Range: "a"')),
      hit(ask=("Range: bytes=0-4",), status=206, text=OTHER[:5], relay=False),
      hit(ask=("Range: bytes=-5",), status=206, text=OTHER[-5:], relay=False))
cases("several-of-what-passes-through",
      miss(LONG, ask=("Range: bytes=-5,0-4", "Cache-Control: no-store"), body=LARGE, text=LARGE))
SECRET = (answer("Cache-Control: no-store", 'ETag: "a"', "Content-Range: bytes 5-9/10", status=206,
                 body=b"56789"),)
cases("206-completed-not-stored", said("0-4", "0-4/10", b"01234"),
      Step(saw=("Range: bytes=5-",), status=200, text=b"0123456789", relay=False, answers=SECRET),
      Step(ask=("Range: bytes=5-",), saw=("Range: bytes=5-",), status=206, text=b"56789",
           relay=False, answers=SECRET))
# A 304 may forbid what is known in parts, or say that it is for others: the request that it answers,
# and that fetches the rest, does not bring it back for them.
STALE_PART = miss("Cache-Control: max-age=0", 'ETag: "a"', "Content-Range: bytes 0-4/10",
                  ask=("Range: bytes=0-4",), says=206, body=b"01234")
for name, forbids in {"private": ("Cache-Control: private, max-age=3600",),
                      "varies": (LONG, "Vary: Foo")}.items():
    cases(f"304-forbids-a-part-{name}", STALE_PART,
          Step(ask=("Foo: 1",), saw=('If-None-Match: "a"',), seen=2, status=200,
               text=b"0123456789", relay=False,
               answers=(answer(*forbids, 'ETag: "a"', status=304),
                        answer(*forbids, 'ETag: "a"', "Content-Range: bytes 5-9/10", status=206,
                               body=b"56789"))),
          miss(*forbids, 'ETag: "b"', "Content-Range: bytes 0-4/10", says=206, body=b"abcde",
               ask=("Range: bytes=0-4", "Foo: 2")))
# Under a strong validator pieces are combined, so a 304 does not take it away.
for name, said_before, said_now, strong in (
        ("weak", ('ETag: "a"',), ('ETag: W/"a"',), 'If-Range: "a"'),
        ("malformed", ('ETag: "a"',), ("ETag: a",), 'If-Range: "a"'),
        ("date", ("Last-Modified: @-3000",), ("Last-Modified: @-3000", 'ETag: W/"a"'),
         "If-Range: @-3000")):
    cases(f"206-completed-after-a-304-{name}",
          miss("Cache-Control: max-age=0", *said_before, "Content-Range: bytes 0-4/10",
               "Test: other", ask=("Range: bytes=0-4",), says=206, body=b"01234"),
          valid(LONG, *said_now, ask=("Range: bytes=0-4",), status=206, text=b"01234"),
          Step(saw=("Range: bytes=5-", strong), status=200, text=b"0123456789", relay=False,
               answers=(answer(LONG, *said_before, "Content-Range: bytes 5-9/10", status=206,
                               body=b"56789"),)))
cases("206-weak-not-joined",
      miss(LONG, 'ETag: W/"a"', "Content-Range: bytes 0-4/10", ask=("Range: bytes=0-4",), says=206,
           body=b"01234"),
      miss(LONG, body=b"0123456789", saw=("!Range",)))
