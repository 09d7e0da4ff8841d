"""Validation with the origin."""
from harness import Cases, answer, hit, miss, valid, Step

cases = Cases()
LONG = "Cache-Control: max-age=3600"
OLD = "Cache-Control: max-age=0"

for name, tag in {"strong": '"abcdef"', "weak": 'W/"abcdef"', "obs-text": '"a\xfcb"',
                  "comma": '"a,b"'}.items():
    cases(f"etag-{name}", miss(OLD, f"ETag: {tag}"),
          valid(LONG, f"ETag: {tag}", saw=(f"If-None-Match: {tag}",)), hit(relay=False))
cases("date", miss(OLD, "Last-Modified: @-3000"), valid(saw=("If-Modified-Since: @-3000",
                                                           "!If-None-Match")))
cases("both", miss(OLD, 'ETag: "a"', "Last-Modified: @-3000"),
      valid(saw=('If-None-Match: "a"', "If-Modified-Since: @-3000")))
cases("date-as-stored", miss(OLD, "Last-Modified: Wed Jan  1 00:00:00 2020"),
      valid(saw=("If-Modified-Since: Wed Jan  1 00:00:00 2020",)))
cases("own-conditions-replaced", miss(OLD, 'ETag: "a"'),
      valid(ask=('If-None-Match: "x"', "If-Modified-Since: @-1"),
            saw=('If-None-Match: "a"', "!If-Modified-Since")))
cases("changed", miss(OLD, 'ETag: "a"'), miss(LONG, 'ETag: "b"'), hit())
cases("carries-vary-fields", miss(OLD, 'ETag: "a"', "Vary: Abc", ask=("Abc: 123",)),
      valid(ask=("Abc: 123",), saw=('If-None-Match: "a"', "Abc: 123")))
cases("304-other-etag-asked-again", miss(OLD, 'ETag: "a"'),
      Step(answers=(answer('ETag: "b"', status=304), answer(LONG, 'ETag: "b"')), seen=2,
           saw=('If-None-Match: "a"',), text=3), hit(text=3))
cases("304-without-validator", miss(OLD, 'ETag: "a"'), valid(LONG), hit(relay=False))
cases("304-weak-of-weak", miss(OLD, 'ETag: W/"a"'), valid(LONG, 'ETag: W/"a"'), hit(relay=False))
cases("304-strong-of-compressed", miss(OLD, 'ETag: W/"a"', "Last-Modified: @-3000"),
      valid(LONG, 'ETag: "a"', "Last-Modified: @-3000", saw=('If-None-Match: W/"a"',),
            want=('ETag: W/"a"',)), hit('ETag: W/"a"', relay=False))
cases("304-unasked", miss(says=304, status=502, relay=False, text=b"*"))
cases("304-no-store-not-kept", miss(OLD, 'ETag: "a"'),
      valid("Cache-Control: no-store", 'ETag: "a"'), miss(saw=("!If-None-Match",)))

# Several stored responses, none of which matches the request's selection (RFC 9111 4.1, 4.3.1).


def variant(number, *lines, age=LONG, **how):
    return miss(age, "Vary: Foo", f'ETag: "{number}"', *lines, ask=(f"Foo: {number}",), **how)


TWO = (variant(1), variant(2))
cases("variants-list", *TWO,
      valid(LONG, "Vary: Foo", 'ETag: "1"', ask=("Foo: 3",), saw=('If-None-Match: "2", "1"',),
            text=1),
      hit(ask=("Foo: 3",), text=1), hit(ask=("Foo: 1",), text=1), hit(ask=("Foo: 2",), text=2))
cases("variants-list-other", *TWO,
      valid(LONG, "Vary: Foo", 'ETag: "2"', ask=("Foo: 3",), text=2),
      hit(ask=("Foo: 3",), text=2), hit(ask=("Foo: 1",), text=1), hit(ask=("Foo: 2",), text=2))
cases("variants-list-updates", *TWO,
      valid(LONG, "Vary: Foo", 'ETag: "2"', "Test: new", ask=("Foo: 3",), text=2,
            want=("Test: new",)),
      hit("Test: new", ask=("Foo: 3",), text=2))
cases("variants-one", variant(1), valid(LONG, "Vary: Foo", 'ETag: "1"', ask=("Foo: 2",),
                                        saw=('If-None-Match: "1"', "Foo: 2")),
      hit(ask=("Foo: 2",), text=1), hit(ask=("Foo: 1",), text=1))
cases("variants-stale", variant(1, age=OLD), variant(2, age=OLD),
      valid(LONG, "Vary: Foo", 'ETag: "1"', ask=("Foo: 3",), saw=('If-None-Match: "2", "1"',),
            text=1), hit(ask=("Foo: 3",), text=1, relay=False))
cases("variants-new-response", *TWO, miss(LONG, "Vary: Foo", 'ETag: "3"', ask=("Foo: 3",),
                                          saw=("If-None-Match: *",)),
      hit(ask=("Foo: 3",), text=3), hit(ask=("Foo: 1",), text=1))
cases("variants-304-selects-none", *TWO,
      Step(ask=("Foo: 3",), saw=("If-None-Match: *",), seen=2, text=4,
           answers=(answer('ETag: "9"', status=304), answer(LONG, "Vary: Foo", 'ETag: "9"'))),
      hit(ask=("Foo: 3",), text=4), hit(ask=("Foo: 1",), text=1))
cases("variants-304-names-none", *TWO,
      Step(ask=("Foo: 3",), saw=("If-None-Match: *",), seen=2, text=4,
           answers=(answer(status=304), answer(LONG, "Vary: Foo"))))
cases("variants-without-etag", miss(LONG, "Vary: Foo", "Last-Modified: @-50", ask=("Foo: 1",)),
      miss(ask=("Foo: 2",), saw=("!If-None-Match", "!If-Modified-Since")))
# What weak validators say may be true of gzip and identity alike.
GZIP = miss(LONG, "Vary: Foo", "Content-Encoding: gzip", 'ETag: W/"1"', "Last-Modified: @-3000",
            ask=("Foo: 1",))
cases("variants-weak-etag-not-offered", GZIP,
      miss(LONG, "Vary: Foo", 'ETag: W/"1"', "Last-Modified: @-3000", ask=("Foo: 2",),
           saw=("!If-None-Match", "!If-Modified-Since")),
      hit(ask=("Foo: 2",), text=2), hit(ask=("Foo: 1",), text=1))
PACKED = miss(LONG, "Vary: Accept-Encoding", "Content-Encoding: gzip", 'ETag: "1"',
              ask=("Accept-Encoding: gzip",))
cases("variants-coding-not-offered", PACKED,
      miss(LONG, "Vary: Accept-Encoding", 'ETag: "1"', saw=("!If-None-Match",)),
      valid(LONG, "Vary: Accept-Encoding", 'ETag: "1"', ask=("Accept-Encoding: br, gzip",),
            saw=('If-None-Match: "1"',), text=2),
      hit(ask=("Accept-Encoding: gzip",), text=1))
cases("variants-304-weak-of-strong", *TWO,
      Step(ask=("Foo: 3",), saw=('If-None-Match: "2", "1"',), seen=2, text=4,
           answers=(answer('ETag: W/"1"', status=304), answer(LONG, "Vary: Foo"))))
cases("variants-bounded", *(variant(n) for n in range(20)),
      miss(ask=("Foo: x",), saw=('If-None-Match: ' + ", ".join(f'"{n}"' for n in
                                                             range(19, 11, -1)),)))
cases("variants-own-stale", variant(1), variant(2, age=OLD),
      valid(LONG, "Vary: Foo", 'ETag: "2"', ask=("Foo: 2",), text=2))
cases("variants-503", *TWO, miss(says=503, ask=("Foo: 3",)), hit(ask=("Foo: 1",), text=1))
cases("variants-drop", *TWO, Step(ask=("Foo: 3",), answers=(answer(drop=True),), seen=None,
                                  status=502, text=b"*", relay=False))
cases("variants-clients-condition", *TWO,
      valid(LONG, "Vary: Foo", 'ETag: "1"', ask=("Foo: 3", 'If-None-Match: "1"'), status=304,
            text=1))
cases("variants-head", *TWO, miss(LONG, "Vary: Foo", ask=("Foo: 3",), method="HEAD"),
      hit(ask=("Foo: 1",), text=1))
cases("variants-empty", variant(1, body=b""),
      valid(LONG, "Vary: Foo", 'ETag: "1"', ask=("Foo: 2",)), hit(ask=("Foo: 2",), text=b""))
cases("variants-large", variant(1, body=b"0123456789" * 400000),
      valid(LONG, "Vary: Foo", 'ETag: "1"', ask=("Foo: 2",)),
      hit(ask=("Foo: 2",), text=1), hit(ask=("Foo: 2", "Range: bytes=5-9"), status=206,
                                        text=b"56789"))
cases("variants-range", *TWO,
      valid(LONG, "Vary: Foo", 'ETag: "1"', ask=("Foo: 3", "Range: bytes=0-5"), status=206,
            text=b"answer"), hit(ask=("Foo: 3",), text=1))
cases("variants-304-forbids-storing", *TWO,
      valid("Cache-Control: no-store", "Vary: Foo", 'ETag: "1"', ask=("Foo: 3",), text=1),
      miss(ask=("Foo: 3",), saw=('If-None-Match: "2", "1"',)), hit(ask=("Foo: 1",), text=1))
cases("variants-credentials", *TWO,
      valid(LONG, "Vary: Foo", 'ETag: "1"', ask=("Foo: 3", "Authorization: x"), text=1),
      valid(LONG, "Vary: Foo", 'ETag: "1"', ask=("Foo: 3",), text=1),
      hit(ask=("Foo: 3",), text=1))
