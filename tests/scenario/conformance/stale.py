"""Serving stale."""
import time

import harness
from harness import Cases, Step, answer, error, gone, hit, miss, settled, valid, wait

cases = Cases()
TAG = 'ETag: "a"'
SHORT = "max-age=2"  # 1 may have passed on the way already


def stale(*lines, directives=""):
    """A response that is stale when the step is over."""
    return (miss(f"Cache-Control: {SHORT}{directives}", "Stored: yes", *lines), wait(2.3))


cases("connection-closed", *stale(), gone())
cases("connection-closed-etag", *stale(TAG), gone(saw=('If-None-Match: "a"',)))
cases("connection-closed-in-head",
      *stale(), gone(drop=False, raw=b"HTTP/1.1 200 OK\r\nCache-Con"))
cases("bad-head", *stale(), gone(drop=False, raw=b"what is this\r\n\r\n"))
cases("bad-framing", *stale(),
      gone(drop=False, raw=b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"))
for directive in ("must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=2"):
    word = directive.split("=")[0]
    cases(f"closed-{word}", *stale(TAG, directives=f", {directive}"), error(drop=True, status=504))
    cases(f"closed-{word}-no-validator", *stale(directives=f", {directive}"),
          error(drop=True, status=504 if word != "no-cache" else 502))
    cases(f"nonsense-{word}", *stale(TAG, directives=f", {directive}"),
          error(raw=b"what is this\r\n\r\n"))
    cases(f"503-{word}", *stale(TAG, directives=f", {directive}"),
          miss(says=503, want=("!Stored",)))
    cases(f"stale-if-error-{word}",
          *stale(TAG, directives=f", {directive}, stale-if-error=60"),
          error(drop=True, status=504))
for status in (500, 502, 503, 504, 599):
    cases(f"stale-if-error-{status}", *stale(directives=", stale-if-error=60"),
          miss(says=status, stored=True, saw=("Via: *",), relay=False, status=200, text=1))
    cases(f"default-{status}", *stale(TAG),
          miss(says=status, stored=True, saw=("If-None-Match: *",), relay=False, status=200,
               text=1))
for status in (501, 505, 507, 511):
    cases(f"{status}-is-an-answer", *stale(TAG, directives=", stale-if-error=60"),
          miss(says=status, saw=("If-None-Match: *",)))
cases("404-is-an-answer", *stale(TAG, directives=", stale-if-error=60"), miss(says=404))
cases("stale-if-error-over",
      miss("Cache-Control: max-age=10, stale-if-error=60", "Age: 100", TAG), error(drop=True))
cases("stale-if-error-request",
      miss("Cache-Control: max-age=10, stale-if-error=1", "Age: 100", TAG),
      gone(ask=("Cache-Control: stale-if-error=600",)))
cases("stale-if-error-closed", *stale(directives=", stale-if-error=60"), gone())
cases("5xx-keeps-the-stored", *stale(TAG, directives=", stale-if-error=60"),
      miss(says=503, stored=True, saw=("If-None-Match: *",), relay=False, status=200, text=1),
      valid("Cache-Control: max-age=3600", TAG), hit(relay=False))
cases("5xx-explicit-replaces", miss("Cache-Control: max-age=3600, must-revalidate", TAG),
      miss("Cache-Control: max-age=3600", says=503, ask=("Cache-Control: no-cache",)), hit(text=2))
cases("request-no-cache-gets-the-error", miss("Cache-Control: max-age=3600", TAG),
      error(drop=True, ask=("Cache-Control: no-cache",)), hit(text=1))
cases("request-no-cache-gets-the-503", miss("Cache-Control: max-age=3600", TAG),
      miss(says=503, ask=("Cache-Control: no-cache",)), hit(text=1))
cases("timeout", *stale(TAG), gone(drop=False, pause=7, seen=1), impatient=True)
cases("timeout-must-revalidate", *stale(TAG, directives=", must-revalidate"),
      error(pause=7, status=504, seen=1), impatient=True)
cases("timeout-nothing-stored", error(pause=7, status=504, seen=1), impatient=True)
cases("no-warning", *stale(), gone("!Warning"))
cases("nothing-stored", error(drop=True))

WINDOW = "Cache-Control: max-age=1, stale-while-revalidate=3600"
cases("revalidate-background", miss(WINDOW, "Age: 1", TAG),
      hit(later=1, saw=('If-None-Match: "a"',), says=304))
cases("revalidate-background-renews", miss(WINDOW, "Age: 1", TAG),
      hit(later=1, answers=(answer("Cache-Control: max-age=3600", TAG, status=304),)), settled(),
      hit("Cache-Control: max-age=3600", relay=False, text=1, status=200))
cases("revalidate-background-replaces", miss(WINDOW, "Age: 1", TAG),
      hit(later=1, answers=(answer("Cache-Control: max-age=3600"),)), settled(), hit(text=2))
cases("revalidate-background-no-cache", miss(WINDOW, "Age: 1", TAG),
      hit(later=1, answers=(answer("Cache-Control: no-cache", 'ETag: "b"'),)), settled(),
      valid(saw=('If-None-Match: "b"',), text=2))
cases("revalidate-background-fails", miss(WINDOW, "Age: 1", TAG),
      hit(later=1, answers=(answer(status=503),)), settled(), hit(later=1, text=1), settled(),
      hit(later=1, text=1))
cases("revalidate-background-without-validator", miss(WINDOW, "Age: 1"),
      hit(later=1, saw=("!If-None-Match",), answers=(answer("Cache-Control: max-age=3600"),)),
      settled(), hit(text=2))
cases("revalidate-window-over",
      miss("Cache-Control: max-age=1, stale-while-revalidate=4", "Age: 5", TAG), valid())
cases("revalidate-window-elapses",
      miss("Cache-Control: max-age=1, stale-while-revalidate=1", TAG), wait(2.3), valid())
cases("revalidate-must-revalidate",
      miss("Cache-Control: max-age=1, stale-while-revalidate=100, must-revalidate", "Age: 1", TAG),
      valid())


@cases.play("revalidate-background-once")
def background_once(course):
    """Many hits in the window make one request to the origin."""
    course.step(miss(WINDOW, "Age: 1", TAG))
    course.answers.append(answer("Cache-Control: max-age=3600", TAG, status=304, pause=.5))
    course.answers.popleft()
    for _ in range(8):
        harness.need(course.send(Step()).body == course.given[1][1], "not the stored body")
    course.await_requests(2)
    course.settle()
    harness.need(len(course.requests) == 2, f"{len(course.requests)} requests, not 2")


@cases.play("unreachable")
def unreachable(course):
    """The origin is gone: nothing listens any more."""
    served, refused = (harness.Course(course.case, f"{course.path}-{n}", course.proxy,
                                      course.spare, course.mode) for n in range(2))
    served.step(miss("Cache-Control: max-age=2"))
    refused.step(miss("Cache-Control: max-age=2, must-revalidate", "Stored: yes", TAG))
    course.spare.close()
    time.sleep(2.3)
    served.step(hit())
    refused.step(error(seen=0, status=504))


cases("200-that-breaks-keeps-the-stored", miss("Cache-Control: max-age=0", 'ETag: W/"a"'),
      miss("Cache-Control: max-age=60", cut=5, whole=False),
      valid(saw=('If-None-Match: W/"a"',), text=1))
cases("own-error-not-stored", error(drop=True), miss("Cache-Control: max-age=60"), hit())
