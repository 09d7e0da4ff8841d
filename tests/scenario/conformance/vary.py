"""Vary."""
from harness import Cases, hit, miss, valid

cases = Cases()
LONG = "Cache-Control: max-age=3600"


def variant(vary, *ask, **how):
    return miss(LONG, f"Vary: {vary}", ask=ask, **how)


cases("match", variant("Foo", "Foo: 1"), hit(ask=("Foo: 1",)))
cases("no-match", variant("Foo", "Foo: 1"), miss(ask=("Foo: 2",)))
cases("stored-omits", variant("Foo"), miss(ask=("Foo: 1",)))
cases("presented-omits", variant("Foo", "Foo: 1"), miss())
cases("both-omit", variant("Foo"), hit())
cases("absent-is-not-empty", variant("Foo"), miss(ask=("Foo: ",)))
cases("side-by-side", variant("Foo", "Foo: 1"), variant("Foo", "Foo: 2"),
      hit(ask=("Foo: 1",), text=1), hit(ask=("Foo: 2",), text=2))
cases("many-side-by-side", *(variant("Foo", f"Foo: {n}") for n in range(20)),
      *(hit(ask=(f"Foo: {n}",), text=n + 1) for n in range(20)))
cases("other-fields", variant("Foo", "Foo: 1", "Other: 2"), hit(ask=("Foo: 1", "Other: 3")))
cases("two-match", variant("Foo, Bar", "Foo: 1", "Bar: a"), hit(ask=("Foo: 1", "Bar: a")))
cases("two-other-order", variant("Foo, Bar", "Foo: 1", "Bar: a"), hit(ask=("Bar: a", "Foo: 1")))
cases("two-no-match", variant("Foo, Bar", "Foo: 1", "Bar: a"), miss(ask=("Foo: 2", "Bar: a")))
cases("two-one-omitted", variant("Foo, Bar", "Foo: 1", "Bar: a"), miss(ask=("Foo: 1",)))
cases("two-omitted", variant("Foo, Bar", "Foo: 1", "Bar: a"), miss())
cases("two-lines", miss(LONG, "Vary: Foo", "Vary: Bar", ask=("Foo: 1", "Bar: a")),
      hit(ask=("Foo: 1", "Bar: a")), miss(ask=("Foo: 1", "Bar: b")))
THREE = ("Foo: 1", "Bar: abc", "Baz: 789")
cases("three-match", variant("Foo, Bar, Baz", *THREE), hit(ask=THREE))
cases("three-no-match", variant("Foo, Bar, Baz", *THREE), miss(ask=("Foo: 2", *THREE[1:])))
cases("three-order", variant("Foo, Bar, Baz", *THREE), hit(ask=THREE[::-1]),
      miss(ask=("Foo: 1", "Baz: 789", "Bar: abcde")))
cases("three-both-omit", variant("Foo, Bar, Baz", "Foo: 1", "Baz: 789"),
      hit(ask=("Foo: 1", "Baz: 789")))
cases("name-case", variant("fOO", "FoO: 1"), hit(ask=("foo: 1",)), miss(ask=("foo: 2",)))
cases("another-list", variant("Foo", "Foo: 1"), variant("Foo, Bar", "Foo: 2", "Bar: 1"),
      hit(ask=("Foo: 1",), text=1), hit(ask=("Foo: 2", "Bar: 1"), text=2),
      miss(ask=("Foo: 2", "Bar: 2")))
RELOAD = "Cache-Control: no-cache"
cases("most-recent", miss(LONG, "Vary: Foo", "Date: @-100", ask=("Foo: 1",)),
      miss(LONG, "Vary: Foo, Bar", "Date: @-50", ask=("Foo: 1", RELOAD)),
      hit(ask=("Foo: 1",), text=2),
      miss(LONG, "Vary: Foo", "Date: @-10", ask=("Foo: 1", RELOAD)), hit(ask=("Foo: 1",), text=3))
cases("head", variant("Foo", "Foo: 1"), hit(method="HEAD", ask=("Foo: 1",)))

for name, lines in {"star": ["*"], "star-star": ["*, *"], "star-lines": ["*", "*"],
                    "empty-star": [", *"], "empty-star-lines": ["", "*"], "star-foo": ["*, Foo"],
                    "foo-star": ["Foo, *"], "foo-star-lines": ["Foo", "*"]}.items():
    cases(name, miss(LONG, *(f"Vary: {line}" for line in lines), ask=THREE), miss(ask=THREE))

cases("normal-space", variant("Foo", "Foo: 1,2"), hit(ask=("Foo:  1, 2 ",)),
      hit(ask=("Foo: 1 ,2",)))
cases("normal-lines", variant("Foo", "Foo: 1, 2"), hit(ask=("Foo: 1", "Foo: 2")))
cases("normal-value-case", variant("Foo", "Foo: a"), miss(ask=("Foo: A",)))
cases("normal-value-order", variant("Foo", "Foo: a, b"), miss(ask=("Foo: b, a",)))
LANGUAGES = "Accept-Language: en, de"
cases("language-case", variant("Accept-Language", LANGUAGES), hit(ask=("Accept-Language: eN, De",)))
cases("language-space", variant("Accept-Language", LANGUAGES),
      hit(ask=("Accept-Language:  en ,   de",)))
cases("language-order", variant("Accept-Language", LANGUAGES),
      hit(ask=("Accept-Language: de, en",)))
cases("language-weights", variant("Accept-Language", "Accept-Language: en;q=0.5, de;q=0.8"),
      miss(ask=("Accept-Language: en;q=0.8, de;q=0.5",)),
      hit(ask=("Accept-Language: de;q=0.8, en;q=0.5",), text=1))

# Both are for the third request, and dated in the same second: what came last is more recent.
cases("same-second", miss(LONG, "Vary: Foo", "Date: @+0", ask=("Foo: 1", "Bar: a")),
      miss(LONG, "Vary: Bar", "Date: @+0", ask=("Foo: 2", "Bar: a")),
      hit(ask=("Foo: 1", "Bar: a"), text=2))

# A 304 that changes Vary: what it confirms no longer says for whom it is (RFC 9111 4.1).
cases("changed-by-304", miss("Cache-Control: max-age=0", 'ETag: "a"', ask=("Foo: 1",)),
      valid(LONG, "Vary: Foo", 'ETag: "a"', ask=("Foo: 1",), text=1), miss(ask=("Foo: 2",)))
