"""Interim responses."""
from harness import Cases, error, hit, miss, need

cases = Cases()
LONG = "Cache-Control: max-age=3600"
HINT = (103, ("Link: </styles.css>; rel=preload; as=style", "X-My-Header: test"))

cases("102", miss(LONG, informs=((102, ()),), interim=(102,)), hit("!Link", interim=()))
cases("103", miss(LONG, informs=(HINT,), interim=(103,), want=("!Link",)),
      hit("!Link", "!X-My-Header", interim=()))
cases("several", miss(LONG, informs=((102, ()), HINT, HINT, (199, ())),
                      interim=(102, 103, 103, 199)),
      hit(interim=()))
cases("not-to-http-1.0", miss(LONG, informs=(HINT,), interim=(), version="1.0"), hit(interim=()))
cases("101-unasked", error(
    raw=b"HTTP/1.1 101 Whatever\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"))
cases("100-unasked", miss(LONG, informs=((100, ()),)), hit(interim=()))


@cases.play("103-fields")
def hints_with_fields(course):
    """The fields of a 103 reach the client."""
    response = course.step(miss(LONG, informs=(HINT,)))
    for line in HINT[1]:
        name, value = line.split(": ", 1)
        got = response.interim[0].get(name)
        need(got == value, f"{name}: {got}")
