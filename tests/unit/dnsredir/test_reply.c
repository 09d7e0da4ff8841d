#include "base/check.h"
#include "base/err.h"
#include "dnsredir/health/reply.h"

#include <criterion/criterion.h>

/* Every case in one piece, and byte by byte. */
Test(reply, heads_and_bodies)
{
    static const struct {
        const char *what, *text;
        int got, status;
        bool keep, has_load;
    } cases[] = {
        {"good", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 1, 200, true, false},
        {"no reason", "HTTP/1.1 204\r\nContent-Length: 0\r\n\r\n", 1, 204, true, false},
        {"load", "HTTP/1.1 200 OK\r\nlarder-load: requests=1, bytes=2\r\ncontent-length: 0\r\n\r\n",
         1, 200, true, true},
        {"bad load", "HTTP/1.1 200 OK\r\nLarder-Load: x\r\nContent-Length: 0\r\n\r\n", 1, 200, true,
         false},
        {"1.0", "HTTP/1.0 503 No\r\nContent-Length: 0\r\n\r\n", 1, 503, false, false},
        {"no length", "HTTP/1.1 200 OK\r\n\r\n", 1, 200, false, false},
        {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 1, 200, false, false},
        {"close", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 1, 200,
         false, false},
        {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", 1, 200,
         false, false},
        {"too long", "HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n", 1, 200, false, false},
        {"body to come", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", 0, 200, true, false},
        {"head to come", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r", 0, 0, false, false},
        {"after interim ones",
         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n"
         "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
         1, 200, true, false},
        {"an interim one alone", "HTTP/1.1 102 Processing\r\n\r\n", 0, 0, false, false},
        {"another protocol", "HTTP/1.1 101 Switching Protocols\r\n\r\n", 1, 101, false, false},
        {"not HTTP", "SSH-2.0-OpenSSH_9.2p1\r\n\r\n", ERR_SYNTAX, 0, false, false},
        {"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", ERR_SYNTAX, 0, false, false},
        {"no status", "HTTP/1.1 2x0 OK\r\n\r\n", ERR_SYNTAX, 0, false, false},
        {"no such status", "HTTP/1.1 600 OK\r\n\r\n", ERR_SYNTAX, 0, false, false},
        {"four digits", "HTTP/1.1 2000\r\n\r\n", ERR_SYNTAX, 0, false, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t piece = 1; piece <= 2; piece++) {
            size_t step = piece == 1 ? strlen(cases[i].text) : 1;
            struct reply reply;
            int got = 0;
            reply_begin(&reply);
            for (size_t at = 0; at < strlen(cases[i].text) && got == 0; at += step) {
                got = reply_take(&reply, span_of(cases[i].text + at, step));
            }
            cr_expect_eq(got, cases[i].got, "%s: %d", cases[i].what, got);
            cr_expect_eq(reply.status, cases[i].status, "%s: %d", cases[i].what, reply.status);
            cr_expect_eq(reply.keep, cases[i].keep, "%s", cases[i].what);
            cr_expect_eq(reply.has_load, cases[i].has_load, "%s", cases[i].what);
        }
    }
}

Test(reply, more_than_announced_ends_the_connection)
{
    struct reply reply;

    reply_begin(&reply);
    cr_expect_eq(reply_take(&reply, SPAN("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nokHTTP")), 1);
    cr_expect_not(reply.keep);
}

Test(reply, an_endless_head_is_none)
{
    struct reply reply;
    int got = 0;

    reply_begin(&reply);
    for (int i = 0; i < 100 && got == 0; i++) {
        got =
            reply_take(&reply, SPAN("HTTP/1.1 200 OK\r\nX: 01234567890123456789012345678901\r\n"));
    }
    cr_expect_eq(got, ERR_SYNTAX);
}
