#!/usr/bin/env python3
"""HTTP/2 to clients, what requests and responses may be: h2_messages.py BUILD [WORD ...]

Messages, fields, tunnels, and what becomes of them in HTTP/1: RFC 9113 8 and 10, RFC 8441.
"""
import os
import pathlib
import re
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import h2  # noqa: E402
import larder  # noqa: E402
import raw  # noqa: E402
from h2_cases import (  # noqa: E402
    add, case, check, hasty, lives, main, metric, name, refused, resets, simple, slow_may_end, without)


# ---- 8.1: messages ----

@case
def rfc9113_8_1_several_streams_interleaved(conn):
    streams = [conn.request(f"/{n}", end=False, method="POST") for n in range(10)]
    for part in range(20):
        for n, stream in enumerate(streams):
            conn.send(h2.data(stream, b"%d-%d," % (n, part), end=part == 19))
    for n, stream in enumerate(streams):
        expected = b"".join(b"%d-%d," % (n, part) for part in range(20))
        check(conn.response(stream).body == expected, f"body {n}")


@case
def rfc9113_8_1_trailers_are_taken(conn):
    stream = conn.request("/", end=False, method="POST")
    conn.send(h2.data(stream, b"body"))
    conn.headers([("x-trailer", "1")], stream=stream)
    check(conn.response(stream).body == b"body", "a body with trailers")
    lives(conn)


@case
def rfc9113_8_1_trailers_with_pseudo_fields(conn):
    stream = conn.request("/", end=False, method="POST")
    conn.send(h2.data(stream, b"body"))
    conn.headers([(":method", "GET")], stream=stream)
    resets(conn, stream, h2.PROTOCOL_ERROR)


@case
def rfc9113_8_1_trailers_with_a_field_of_the_connection(conn):
    stream = conn.request("/", end=False, method="POST")
    conn.headers([("transfer-encoding", "chunked")], stream=stream)
    resets(conn, stream, h2.PROTOCOL_ERROR)


@case
def rfc9113_8_1_second_headers_without_end_stream(conn):
    stream = conn.request("/", end=False, method="POST")
    conn.headers([("x-trailer", "1")], stream=stream, end=False)
    resets(conn, stream, h2.PROTOCOL_ERROR)


@case
def rfc9113_8_1_response_before_the_request_is_complete(conn):
    stream = conn.request("/early", end=False, method="POST")
    conn.send(h2.data(stream, b"part"))
    got = conn.response(stream)
    conn.until(lambda: got.reset is not None)
    check(got.status == 200 and got.body == b"early" and got.ended, f"the response: {got.heads}")
    check(got.reset == h2.NO_ERROR, f"the rest is not wanted: {got.reset}")
    lives(conn)


@case
def rfc9113_8_1_chunked_becomes_frames(conn):
    got = conn.get("/chunked")
    check(got.body == b"abcdefg" and got.ended, f"{got.body}")
    check("transfer-encoding" not in got.fields and "content-length" not in got.fields,
          f"{got.fields}")


@case
def rfc9113_8_1_a_body_cut_short_is_never_ended_cleanly(conn):
    before = metric(conn, "h2_streams_broken_total")
    got = conn.get("/short")
    check(not got.ended and got.reset == h2.INTERNAL_ERROR, f"{got.ended} {got.reset}")
    check(metric(conn, "h2_streams_broken_total") == before + 1, "it is counted")
    lives(conn)


@case
def rfc9113_8_1_interim_responses_come_first(conn):
    got = conn.get("/interim")
    check([dict(head)[":status"] for head in got.heads] == ["103", "200"], f"{got.heads}")
    check([name for name, _ in got.heads[0]] == [":status", "link", "via"],
          f"nothing of one hop alone: {got.heads[0]}")
    check(re.fullmatch("1[.]1 larder-[0-9a-f]+", dict(got.heads[0])["via"]), f"{got.heads[0]}")
    check(dict(got.heads[0]).get("link") == "</a>; rel=preload" and got.body == b"final",
          f"{got.heads}")


@case
def rfc9113_8_1_expect_100_continue(conn):
    stream = conn.headers(simple(conn, ("expect", "100-continue"), ("content-length", "4"),
                                 path="/expect", method="POST"), end=False)
    conn.until(lambda: conn.streams[stream].heads)
    check(dict(conn.streams[stream].heads[0])[":status"] == "100", "100 before the body")
    conn.send(h2.data(stream, b"body", end=True))
    check(conn.response(stream).body == b"body", "then the answer")


@case
def rfc9113_8_1_head_has_no_body(conn):
    got = conn.get("/head", method="HEAD")
    check(got.status == 200 and got.fields.get("content-length") == "1234" and not got.body
          and got.ended, f"{got.heads}")


@case
def rfc9113_8_1_statuses_without_a_body(conn):
    conn.get("/etag")
    for path, status in (("/etag", 304), ("/204", 204)):
        got = conn.get(path, more=[("if-none-match", '"a"')] if status == 304 else [])
        check(got.status == status and got.ended and not got.body, f"{path}: {got.heads}")
    check(conn.get("/etag").body == b"abc", "and one with")


def length_case(length, bodies, trailers=False):
    def run(conn):
        stream = conn.headers(simple(conn, ("content-length", length), method="POST"),
                              end=not bodies)
        # At once: the origin may answer what is as long as it should be, and that is the end of it.
        conn.send(b"".join(h2.data(stream, body, end=n == len(bodies) - 1 and not trailers)
                           for n, body in enumerate(bodies)))
        if trailers:
            conn.headers([("x-t", "1")], stream=stream)
        resets(conn, stream, h2.PROTOCOL_ERROR)
    return run


add("rfc9113_8_1_1_length_without_a_body", length_case("1", []))
add("rfc9113_8_1_1_body_shorter_than_its_length", length_case("10", [b"12345"]))
add("rfc9113_8_1_1_body_longer_than_its_length", length_case("3", [b"12345"]))
add("rfc9113_8_1_1_second_data_beyond_the_length", length_case("5", [b"12345", b"6"]))
add("rfc9113_8_1_1_shorter_and_trailers", length_case("6", [b"12345"], trailers=True))
add("rfc9113_8_1_1_length_with_a_sign", length_case("+5", [b"12345"]))
add("rfc9113_8_1_1_length_beyond_63_bits", length_case("9223372036854775808", [b"12345"]))
add("rfc9113_8_1_1_length_in_a_list", length_case("5, 5", [b"12345"]))


@case
def rfc9113_8_1_1_length_twice(conn):
    refused(conn, simple(conn, ("content-length", "0"), ("content-length", "0"), method="POST"))


@case
def rfc9113_8_1_1_a_malformed_request_says_nothing_to_the_origin(conn):
    heads, before = len(conn.origin.heads), metric(conn, "bad_heads_total")
    for more in (("Upper", "1"), ("connection", "close"), ("x", "a\r\nb: c")):
        refused(conn, simple(conn, more, path="/malformed"))
    check(b"malformed" not in b"".join(conn.origin.heads[heads:]), "nothing was asked")
    check(metric(conn, "bad_heads_total") - before == 3, "each is counted")


@hasty
def rfc9113_8_1_1_a_malformed_request_does_not_end_the_connection_later(conn):
    """Its header block is not one that the client is late with."""
    stream = conn.request("/slow")
    conn.head(stream)
    conn.response(conn.headers(simple(conn, ("Upper", "1"))))
    threading.Event().wait(1.7)  # timeouts.client-head is 500ms, and looked at once a second
    check(not conn.goaways and conn.sync(), f"the connection lives on: {conn.goaways}")
    slow_may_end.set()
    check(conn.response(stream).body == b"1234567890", "a stream beside it is finished")


# ---- 8.2: fields ----

def bad_fields(*more, method="GET"):
    def run(conn):
        refused(conn, simple(conn, *more, method=method))
    return run


add("rfc9113_8_2_name_in_upper_case", bad_fields(("X-Upper", "1")))
for title, bad in (("space", "x y"), ("nul", "x\0y"), ("cr", "x\ry"), ("lf", "x\ny"),
                   ("colon", "x:y"), ("del", "x\x7fy"), ("8_bit", "x\xffy"), ("control", "x\x01"),
                   ("trailing_space", "host "), ("empty", "")):
    add(f"rfc9113_8_2_1_name_with_{title}", bad_fields((bad, "1")))
for title, bad in (("nul", "a\0b"), ("cr", "a\rb"), ("lf", "a\nb"), ("crlf", "a\r\nx: y"),
                   ("leading_space", " a"), ("trailing_space", "a "), ("leading_tab", "\ta"),
                   ("trailing_tab", "a\t"), ("control", "a\x01b"), ("del", "a\x7fb")):
    add(f"rfc9113_8_2_1_value_with_{title}", bad_fields(("x-value", bad)))
for title, field in (("connection", ("connection", "keep-alive")),
                     ("connection_empty", ("connection", "")),
                     ("keep_alive", ("keep-alive", "timeout=5")),
                     ("proxy_connection", ("proxy-connection", "keep-alive")),
                     ("transfer_encoding", ("transfer-encoding", "chunked")),
                     ("transfer_encoding_identity", ("transfer-encoding", "identity")),
                     ("upgrade", ("upgrade", "h2c")),
                     ("te_gzip", ("te", "trailers, deflate;q=0.5"))):
    add(f"rfc9113_8_2_2_{title}", bad_fields(field))


@case
def rfc9113_8_2_2_te_trailers_is_fine(conn):
    check(conn.get("/", more=[("te", "trailers")]).status == 200, "te: trailers")


@case
def rfc9113_8_2_2_fields_of_the_origins_connection_stay_there(conn):
    got = conn.get("/connection")
    names = {field for field, _ in got.heads[0]}
    check(not names & {"connection", "keep-alive", "proxy-connection", "x-hop", "upgrade"},
          f"{names}")
    check("x-kept" in names and all(field == field.lower() for field in names), f"{names}")


@case
def rfc9113_8_2_3_crumbs_of_a_cookie_are_joined(conn):
    conn.get("/", more=[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("cookie", "c=3")])
    lines = [line for line in conn.origin.heads[-1].split(b"\r\n") if line[:7].lower() == b"cookie:"]
    check([line.split(b":", 1)[1].strip() for line in lines] == [b"a=1; b=2; c=3"], f"{lines}")


# ---- how the heads of responses are encoded (RFC 7541) ----

def stable(got):
    """The fields of a response that are the same in the next one."""
    return [field for field in got.heads[-1] if field[0] not in ("age", "date", "cache-status")]


def head_of(conn, path="/etag"):
    """The fields of a response, and the bytes that they took."""
    got = conn.get(path)
    check(got.ended and got.heads, f"no response: {got.reset} {conn.goaways}")
    heads = [len(frame.payload) for frame in conn.frames if frame.kind == h2.HEADERS]
    return stable(got), heads[-1]


@case
def rfc7541_6_1_what_comes_again_is_indexed(conn):
    """Between two seconds the ttl in Cache-Status is another one: so it is asked more than thrice."""
    sizes = [head_of(conn)[1] for _ in range(12)]
    check(min(sizes) < sizes[0] / 2, f"heads of {sizes} bytes")


@case
def rfc7541_4_2_a_client_takes_the_table_away(conn):
    expected = [head_of(conn)[0] for _ in range(4)][-1]
    for size in (100, 0, 4096):
        conn.send(h2.settings((h2.HEADER_TABLE_SIZE, size)))
        conn.sync()
        conn.inflater.resize(size)
        for _ in range(3):
            check(head_of(conn)[0] == expected, f"a head with a table of {size} bytes")
    lives(conn)


@case
def rfc7541_4_2_a_client_takes_the_table_away_and_gives_it_back(conn):
    expected = [head_of(conn)[0] for _ in range(4)][-1]
    conn.send(h2.settings((h2.HEADER_TABLE_SIZE, 0), (h2.HEADER_TABLE_SIZE, 4096)))
    conn.sync()
    conn.inflater.resize(0)
    conn.inflater.resize(4096)
    for _ in range(3):
        check(head_of(conn)[0] == expected, "a head with a table that was empty in between")


@case
def rfc7541_2_2_heads_that_never_leave_are_not_in_the_table(conn):
    expected = head_of(conn)[0]
    later, send = [], conn.send
    conn.send = lambda *frames: later.extend(frames)
    streams = [conn.request("/etag") for _ in range(12)]
    for stream in streams[::2]:
        conn.send(h2.rst(stream))
    conn.send = send
    conn.send(*later)
    for stream in streams[1::2]:
        got = conn.response(stream)
        check(got.ended and stable(got) == expected, f"a head beside streams that were reset: {got.heads}")
    check(head_of(conn)[0] == expected, "a head after streams that were reset")


# ---- 8.3: pseudo fields ----

def bad_list(make, end=True):
    def run(conn):
        refused(conn, make(conn), end)
    return run


for left_out in (":method", ":scheme", ":path"):
    add(f"rfc9113_8_3_1_without_{left_out[1:]}",
        bad_list(lambda conn, left_out=left_out: without(conn, left_out)))
for twice in (":method", ":scheme", ":path", ":authority"):
    add(f"rfc9113_8_3_1_{twice[1:]}_twice",
        bad_list(lambda conn, twice=twice: [dict(simple(conn)) and field for field in simple(conn)]
                 + [(twice, dict(simple(conn))[twice])]))
for title, changed in (("empty_path", (":path", "")), ("path_without_slash", (":path", "x")),
                       ("path_with_space", (":path", "/a b")),
                       ("path_with_crlf", (":path", "/ HTTP/1.1\r\nx: y")),
                       ("path_with_nul", (":path", "/\0")),
                       ("empty_method", (":method", "")), ("method_with_space", (":method", "GET /x")),
                       ("method_with_crlf", (":method", "GET\r\n")),
                       ("authority_with_space", (":authority", "a b")),
                       ("authority_with_slash", (":authority", "a/b")),
                       ("authority_with_crlf", (":authority", "a\r\nx: y")),
                       ("empty_scheme", (":scheme", "")),
                       ("scheme_with_space", (":scheme", "ht tp"))):
    def run(conn, changed=changed):
        heads = len(conn.origin.heads)
        got = conn.response(conn.headers([changed if field[0] == changed[0] else field
                                          for field in simple(conn)]))
        check(got.reset == h2.PROTOCOL_ERROR or got.status in (400, 403, 501),
              f"{name()}: {got.reset} {got.heads}")
        check(len(conn.origin.heads) == heads, f"{name()}: nothing was asked")
        lives(conn)
    add(f"rfc9113_8_3_1_{title}", run)


@case
def rfc9113_8_3_pseudo_field_unknown(conn):
    refused(conn, [(":unknown", "x"), *simple(conn)])


@case
def rfc9113_8_3_pseudo_field_of_responses(conn):
    refused(conn, [(":status", "200"), *simple(conn)])


@case
def rfc9113_8_3_pseudo_field_after_others(conn):
    fields = simple(conn)
    refused(conn, [*fields[:3], ("x", "y"), fields[3]])


@case
def rfc9113_8_3_1_host_that_differs_from_authority(conn):
    heads = len(conn.origin.heads)
    refused(conn, simple(conn, ("host", "another.example")))
    check(b"another.example" not in b"".join(conn.origin.heads[heads:]), "nothing was asked")


@case
def rfc9113_8_3_1_host_alone(conn):
    got = conn.response(conn.headers([*without(conn, ":authority"), ("host", conn.authority)]))
    check(got.status == 200, f"{got.heads} {got.reset}")


@case
def rfc9113_8_3_1_host_like_authority(conn):
    conn.get("/", more=[("host", conn.authority)])
    check(conn.origin.heads[-1].lower().count(b"host:") == 1, "one Host for the origin")


@case
def rfc9113_8_3_1_userinfo_in_authority(conn):
    got = conn.response(conn.headers(simple(conn, authority="user@" + conn.authority)))
    check(got.reset == h2.PROTOCOL_ERROR or got.status == 400, f"{got.reset} {got.heads}")


@case
def rfc9113_8_3_1_neither_host_nor_authority(conn):
    got = conn.response(conn.headers(without(conn, ":authority")))
    check(got.reset == h2.PROTOCOL_ERROR or got.status == 400, f"{got.reset} {got.heads}")


# ---- 8.5: CONNECT ----

@case
def rfc9113_8_5_several_tunnels_in_one_connection(conn):
    tunnels = [conn.connect(conn.echo) for _ in range(8)]
    sent = {stream: os.urandom(30000) for stream in tunnels}
    for stream in tunnels:
        got = conn.head(stream)
        check(got.status == 200 and "content-length" not in got.fields, f"{got.heads} {got.reset}")
    for at in range(0, 30000, 3000):
        for stream in tunnels:
            conn.send(h2.data(stream, sent[stream][at:at + 3000]))
    for stream in tunnels:
        conn.until(lambda: len(conn.streams[stream].body) == 30000)
        check(conn.streams[stream].body == sent[stream], "a tunnel, byte by byte")
    lives(conn)
    for stream in tunnels:
        check(not conn.streams[stream].ended, "open until it is closed")
        conn.send(h2.data(stream, b"last", end=True))  # half-close: the echo comes, then its end
    for stream in tunnels:
        got = conn.response(stream)
        check(got.body == sent[stream] + b"last" and got.ended, f"half-close: {got.reset}")
    lives(conn)


@case
def rfc9113_8_5_a_tunnel_is_reset(conn):
    stream, other = conn.connect(conn.echo), conn.connect(conn.echo)
    conn.head(stream)
    conn.head(other)
    conn.send(h2.rst(stream, h2.CONNECT_ERROR), h2.data(other, b"beside", end=True))
    check(conn.response(other).body == b"beside", "the tunnel beside it")
    lives(conn)


@case
def rfc9113_8_5_data_before_the_answer_waits(conn):
    stream = conn.connect(conn.echo)
    conn.send(h2.data(stream, b"eager"), h2.data(stream, b"!", end=True))
    check(conn.response(stream).body == b"eager!", f"{conn.streams[stream].heads}")


@case
def rfc9113_8_5_connect_that_is_refused(conn):
    got = conn.response(conn.connect("127.0.0.1:25"))
    check(got.status == 403, f"{got.heads} {got.reset}")
    lives(conn)


@case
def rfc9113_8_5_connect_nobody_listens(conn):
    got = conn.response(conn.connect(f"127.0.0.1:{larder.free_port()}"))
    check(got.status in (502, 503, 504) or got.reset == h2.CONNECT_ERROR, f"{got.heads}")
    lives(conn)


@case
def rfc9113_8_5_a_target_that_resets_is_a_connect_error(conn):
    before = metric(conn, "h2_streams_broken_total")
    with socket.create_server(("127.0.0.1", 0)) as target:
        for half_closed in (False, True):
            stream = conn.connect(f"127.0.0.1:{target.getsockname()[1]}")
            peer, _ = target.accept()
            check(conn.head(stream).status == 200, f"a tunnel: {conn.streams[stream].heads}")
            if half_closed:
                peer.shutdown(socket.SHUT_WR)
                conn.until(lambda stream=stream: conn.streams[stream].ended)
            raw.reset(peer)
            conn.send(h2.data(stream, b"who is there?"))
            conn.until(lambda stream=stream: conn.streams[stream].reset is not None)
            check(conn.streams[stream].reset == h2.CONNECT_ERROR,
                  f"{'half closed, ' if half_closed else ''}reset: {conn.streams[stream].reset}")
    check(metric(conn, "h2_streams_broken_total") == before, "nobody's answer has broken off")
    lives(conn)


@case
def rfc9113_8_5_connect_with_scheme_or_path(conn):
    refused(conn, [(":method", "CONNECT"), (":scheme", "http"), (":authority", conn.echo)], False)
    refused(conn, [(":method", "CONNECT"), (":path", "/"), (":authority", conn.echo)], False)


@case
def rfc9113_8_5_connect_without_authority(conn):
    refused(conn, [(":method", "CONNECT")], False)


@case
def rfc9113_8_5_headers_in_a_tunnel(conn):
    stream = conn.connect(conn.echo)
    conn.head(stream)
    conn.headers([("x-trailer", "1")], stream=stream)
    got = conn.response(stream)
    check(got.reset == h2.PROTOCOL_ERROR or got.ended, f"{got.reset} {got.ended}")
    lives(conn)


@case
def rfc8441_3_extended_connect_is_offered(conn):
    conn.until(lambda: conn.settings)
    check(conn.settings.get(8) == 1, "SETTINGS_ENABLE_CONNECT_PROTOCOL is sent")
    stream = conn.headers([(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"),
                           (":authority", conn.authority), (":path", "/")], end=False)
    check(conn.response(stream).status == 502, "an origin that answers 200 has not changed over")
    lives(conn)


@case
def rfc8441_4_an_unknown_protocol(conn):
    stream = conn.headers([(":method", "CONNECT"), (":protocol", "chat"), (":scheme", "http"),
                           (":authority", conn.authority), (":path", "/")], end=False)
    check(conn.response(stream).status == 501, "it is not known here")
    lives(conn)


@case
def rfc8441_4_protocol_with_another_method(conn):
    refused(conn, [*simple(conn), (":protocol", "websocket")])


# ---- heads that are too large ----

@case
def rfc9113_10_5_1_too_large_heads_are_answered(conn):
    for more, path, status in ((("x", "y" * 9000), "/", 431), (("x", "y"), "/" + "p" * 3000, 414)):
        got = conn.get(path, more=[more] * 2)
        check(got.status == status and got.ended and len(got.body) > 100, f"{got.heads}")
    got = conn.get("/", more=[(f"x-{n}", "") for n in range(200)])
    check(got.status == 431, f"200 fields: {got.heads}")
    got = conn.response(conn.request("/", method="HEAD", more=[("x", "y" * 9000)] * 2))
    check(got.status == 431 and got.ended and not got.body, f"HEAD: {got.heads} {len(got.body)}")
    lives(conn)


@case
def rfc9113_10_5_1_too_large_head_with_a_body(conn):
    stream = conn.request("/", end=False, method="POST", more=[("x", "y" * 9000)] * 2)
    got = conn.response(stream)
    conn.until(lambda: got.reset is not None)
    check(got.status == 431 and got.reset == h2.NO_ERROR, f"{got.status} {got.reset}")
    conn.send(h2.data(stream, b"late", end=True))
    lives(conn)


# ---- nothing is smuggled into HTTP/1 ----

@case
def rfc9113_10_3_what_reaches_the_origin(conn):
    """The exact head: what an HTTP/2 request says, and nothing else."""
    stream = conn.headers(simple(conn, ("x-one", "a: b, c; d"), ("content-length", "3"),
                                 path="/exact?q=%0d%0a", method="POST"), end=False)
    conn.send(h2.data(stream, b"abc", end=True))
    conn.response(stream)
    lines = conn.origin.heads[-1].split(b"\r\n")
    names = [line.split(b":")[0].lower() for line in lines[1:-2]]
    check(lines[0] == b"POST /exact?q=%0d%0a HTTP/1.1", f"{lines[0]}")
    check(lines[1] == b"Host: " + conn.authority.encode(), f"{lines[1]}")
    check(b"x-one: a: b, c; d" in lines and b"Content-Length: 3" in lines, f"{lines}")
    check(len(names) == len(set(names)) and b"transfer-encoding" not in names, f"{names}")
    check(b"Via: 2.0 " in conn.origin.heads[-1] or b"via" in names, f"{names}")


@case
def rfc9113_10_3_a_body_of_unknown_length_is_chunked(conn):
    smuggled = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    heads = len(conn.origin.heads)
    stream = conn.request("/", end=False, method="POST")
    conn.send(h2.data(stream, smuggled, end=True))
    check(conn.response(stream).body == smuggled, "it comes back as it was")
    check(len(conn.origin.heads) == heads + 1, "one request")


@case
def rfc9110_8_6_no_body_where_one_is_usual_is_said_to_be_empty(conn):
    for method, said in (("POST", 1), ("PUT", 1), ("PATCH", 1), ("DELETE", 0), ("GET", 0)):
        conn.response(conn.headers(simple(conn, path=f"/empty-{method}", method=method)))
        head = conn.origin.heads[-1]
        check(head.startswith(method.encode()), f"{head}")
        check(head.count(b"\r\nContent-Length: 0\r\n") == said, f"{head}")
        check(b"ransfer-" not in head, f"{head}")


@case
def rfc9113_10_3_get_with_a_body(conn):
    heads = len(conn.origin.heads)
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    stream = conn.headers(simple(conn, method="GET"), end=False)
    conn.send(h2.data(stream, smuggled, end=True))
    conn.response(stream)
    lives(conn)
    check(b"/smuggled" not in b"".join(conn.origin.heads[heads:]), "it is the body of a GET")


@case
def rfc9113_10_3_nothing_that_is_refused_is_asked(conn):
    heads = len(conn.origin.heads)
    for fields in (simple(conn, ("x", "a\r\nSmuggled: 1")), simple(conn, ("x\r\nsmuggled", "1")),
                   simple(conn, path="/ HTTP/1.1\r\nSmuggled: 1"),
                   simple(conn, method="GET / HTTP/1.1\r\nSmuggled: 1\r\n"),
                   simple(conn, authority="a\r\nSmuggled: 1"),
                   simple(conn, authority=conn.authority + "\r\nSmuggled: 1"),
                   simple(conn, authority=conn.authority + "/smuggled"),
                   simple(conn, authority=conn.authority + "?smuggled"),
                   simple(conn, authority="smuggled@" + conn.authority),
                   simple(conn, scheme="http://smuggled/?x="),
                   simple(conn, ("transfer-encoding", "chunked"), ("x", "smuggled")),
                   simple(conn, ("host", "smuggled")),
                   simple(conn, path="http://smuggled/"), simple(conn, path="smuggled"),
                   simple(conn, path="@smuggled/"), simple(conn, path="*smuggled")):
        got = conn.response(conn.headers(fields))
        check(got.reset == h2.PROTOCOL_ERROR or got.status in (400, 403, 501, 502),
              f"{fields}: {got.heads}")
    lives(conn)
    check(b"muggled" not in b"".join(conn.origin.heads[heads:]), f"{conn.origin.heads[heads:]}")


@case
def rfc9113_10_3_fields_that_are_ours_are_not_the_clients(conn):
    conn.get("/", more=[("http2-settings", "AAMAAABkAAQAAP__"), ("te", "trailers"),
                        ("proxy-authorization", "Basic eDp5")])
    head = conn.origin.heads[-1].lower()
    check(b"http2-settings" not in head and b"proxy-authorization" not in head, f"{head}")


if __name__ == "__main__":
    main()
