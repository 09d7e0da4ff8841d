"""Collapsed forwarding: who waits for whom, and who must not."""
import threading
from concurrent.futures import ThreadPoolExecutor
from time import sleep

from harness import Cases, Step, answer, need

cases = Cases()
LONG = "Cache-Control: max-age=3600"
JOINED = .1  # seconds in which the proxy has looked up what it has read


def together(course, steps, *answers):
    """The responses to several requests at once. The first of the answers is given when all the
    requests are with the proxy."""
    gate = threading.Event()
    answers[0].gate = gate
    course.answers.clear()
    course.answers.extend(answers)
    before = len(course.requests)
    conns = [course.open(steps[0])]
    course.await_requests(before + 1)
    conns += [course.open(step) for step in steps[1:]]
    course.await_read(conns)
    sleep(JOINED)
    gate.set()
    with ThreadPoolExecutor(len(steps)) as pool:
        return list(pool.map(course.receive, conns, steps))


def seen(course, count):
    need(len(course.requests) == count, f"{len(course.requests)} requests, not {count}")


@cases.play("shared")
def shared(course):
    responses = together(course, [Step()] * 10, answer(LONG))
    seen(course, 1)
    need(len({response.body for response in responses}) == 1, "different bodies")


@cases.play("body-under-way")
def body_under_way(course):
    """Who comes while the body arrives joins too."""
    responses = together(course, [Step()] * 5, answer(LONG, body=b"x" * 3000000, middle=True))
    seen(course, 1)
    need({len(response.body) for response in responses} == {3000000}, "not whole")


def apart(name, lines, steps=None):
    """Requests that share nothing: each is forwarded, and when the leader's answer has freed them
    the others are all at the origin at once."""
    @cases.play(name)
    def play(course):
        asked = steps or [Step()] * 6
        responses = together(course, asked, answer(*lines), answer(*lines, until=len(asked)))
        seen(course, len(asked))
        need(len({response.body for response in responses}) == len(asked), "a shared body")
        need(not course.alone, "one after the other")


apart("private-frees-the-followers", ["Cache-Control: private"])
apart("no-store-frees-the-followers", ["Cache-Control: no-store"])
apart("no-lifetime-frees-the-followers", [])
apart("vary-star-frees-the-followers", [LONG, "Vary: *"])
apart("posts", [LONG], [Step(method="POST", send=b"x")] * 4)
apart("puts", [LONG], [Step(method="PUT", send=b"x")] * 4)
apart("gets-with-body", [LONG], [Step(send=b"x")] * 4)
apart("authorization", [LONG], [Step(ask=(f"Authorization: {n}",)) for n in range(4)])


@cases.play("vary")
def vary(course):
    """Each selection is fetched once, and none gets another's."""
    steps = [Step(ask=(f"Foo: {n % 3}",)) for n in range(9)]
    responses = together(course, steps, answer(LONG, "Vary: Foo"))
    asked = [request.get("Foo") for request in course.requests]
    need(set(asked) == {"0", "1", "2"}, f"asked for {asked}")
    for n, response in enumerate(responses):
        number = int(response.body.split()[1])
        need(asked[number - 1] == str(n % 3), f"Foo: {n % 3} got the answer to {asked[number - 1]}")


@cases.play("authorization-permitted")
def permitted(course):
    """A permission of the response lets others use it, with credentials or without."""
    steps = [Step(), Step(ask=("Authorization: a",)), Step(ask=("Authorization: b",))]
    together(course, steps, answer("Cache-Control: s-maxage=60"))
    seen(course, 1)


@cases.play("leader-with-authorization")
def leader_with_authorization(course):
    """A leader's credentials, without permission: nobody shares its answer."""
    steps = [Step(ask=("Authorization: a",)), Step(), Step()]
    responses = together(course, steps, answer(LONG))
    need(responses[0].body not in [response.body for response in responses[1:]], "a shared answer")


@cases.play("pass-mark")
def pass_mark(course):
    """After an answer that may not be shared the next ones do not wait for each other."""
    course.answers.appendleft(answer("Cache-Control: private"))
    course.send(Step())
    together(course, [Step()] * 5, answer("Cache-Control: private", until=6))
    seen(course, 6)
    need(not course.alone, "one after the other")


@cases.play("validation")
def validation(course):
    """One validation for many."""
    course.answers.appendleft(answer("Cache-Control: max-age=0", 'ETag: "a"'))
    course.send(Step())
    responses = together(course, [Step()] * 6, answer(LONG, 'ETag: "a"', status=304))
    seen(course, 2)
    need({response.body for response in responses} == {course.given[1][1]}, "another body")


@cases.play("broken-leader")
def broken_leader(course):
    """The body breaks off: broken for everybody who had begun, and not stored."""
    responses = together(course, [Step()] * 4, answer(LONG, cut=5))
    need(not any(response.whole for response in responses), "a whole response")
    course.answers.append(answer(LONG))
    course.answers.popleft()
    need(course.send(Step()).whole, "not whole")


@cases.play("failed-leader")
def failed_leader(course):
    """The origin closes the connection: one of those who wait asks once more, and then everybody
    hears of it. Either request may be sent again, for the connection may have been idle."""
    responses = together(course, [Step()] * 10, answer(LONG, drop=True))
    need({response.status for response in responses} == {502}, "not an error for everybody")
    need(len(course.requests) <= 4, f"{len(course.requests)} requests")


@cases.play("failed-validation")
def failed_validation(course):
    """The same, and something stale is stored."""
    course.answers.appendleft(answer("Cache-Control: max-age=1", "Age: 1", 'ETag: "a"'))
    course.send(Step())
    responses = together(course, [Step()] * 4, answer(drop=True))
    need({response.body for response in responses} == {course.given[1][1]}, "not the stored body")


@cases.play("failed-validation-is-not-for-all")
def failed_validation_is_not_for_all(course):
    """What stands in for a failed origin is not for whom its request forbids it."""
    course.answers.appendleft(answer("Cache-Control: max-age=1", "Age: 1", 'ETag: "a"'))
    course.send(Step())
    steps = [Step(), Step(ask=("Cache-Control: no-cache",)), Step()]
    responses = together(course, steps, answer(status=503))
    need([response.status for response in responses] == [200, 503, 200], "a stale answer, or none")


@cases.play("interim")
def interim(course):
    """A 103 of the leader's answer is not for others' heads to wait for."""
    responses = together(course, [Step()] * 3, answer(LONG, interim=((103, ("Link: </a>",)),)))
    seen(course, 1)
    need({response.status for response in responses} == {200}, "not 200")
    need(not any(response.get("Link") for response in responses), "Link in the response")


@cases.play("leader-leaves")
def leader_leaves(course):
    """The client that began it goes away; the others get the response."""
    gate = threading.Event()
    course.answers.append(answer(LONG, gate=gate))
    course.answers.popleft()
    conn = course.open(Step())
    course.await_requests(1)
    follower = course.open(Step())
    course.await_read([follower])
    sleep(JOINED)
    conn.close()
    sleep(JOINED)
    gate.set()
    need(course.receive(follower, Step()).status == 200, "no response")
    seen(course, 1)
