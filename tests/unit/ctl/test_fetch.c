#include "ctl/fetch.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "base/err.h"

/* Answers one connection with fixed bytes. */
struct peer {
    int listener;
    char address[128];
    const char *answer;
    char asked[1024];
    pthread_t thread;
};

static void *peer_run(void *arg)
{
    struct peer *peer = arg;
    int fd = accept(peer->listener, NULL, NULL);
    ssize_t n = recv(fd, peer->asked, sizeof(peer->asked) - 1, 0);

    peer->asked[n > 0 ? n : 0] = '\0';
    send(fd, peer->answer, strlen(peer->answer), MSG_NOSIGNAL);
    close(fd);
    return NULL;
}

static void peer_start(struct peer *peer, const char *answer, const char *socket_path)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(in);

    *peer = (struct peer){.answer = answer};
    peer->listener = socket(socket_path ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    if (socket_path) {
        snprintf(un.sun_path, sizeof(un.sun_path), "%s", socket_path);
        snprintf(peer->address, sizeof(peer->address), "unix:%s", socket_path);
        cr_assert_eq(bind(peer->listener, (struct sockaddr *)&un, sizeof(un)), 0);
    } else {
        cr_assert_eq(bind(peer->listener, (struct sockaddr *)&in, sizeof(in)), 0);
        getsockname(peer->listener, (struct sockaddr *)&in, &len);
        snprintf(peer->address, sizeof(peer->address), "http://127.0.0.1:%u/", ntohs(in.sin_port));
    }
    cr_assert_eq(listen(peer->listener, 1), 0);
    cr_assert_eq(pthread_create(&peer->thread, NULL, peer_run, peer), 0);
}

static void peer_end(struct peer *peer)
{
    pthread_join(peer->thread, NULL);
    close(peer->listener);
}

#define OK "HTTP/1.1 200 OK\r\n"

Test(fetch, bodies_arrive_whole_or_not_at_all)
{
    static const struct {
        const char *answer, *body, *why; /* body NULL: refused */
    } cases[] = {
        {OK "Content-Length: 5\r\n\r\nhello", "hello", NULL},
        {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", "hello", NULL},
        {OK "Connection: close\r\n\r\nhello", "hello", NULL},
        {OK "Content-Length: 6\r\n\r\nhello", NULL, "the answer of ADDRESS broke off"},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", NULL,
         "ADDRESS answers /status with status 404; is that the right admin address?"},
        {"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 17\r\n\r\n{\"error\": \"full\"}",
         NULL, "ADDRESS answers /status with status 500: full"},
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 18\r\n\r\nnot for web pages\n", NULL,
         "ADDRESS answers /status with status 403: not for web pages"},
        {"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 12\r\n\r\n<html></html", NULL,
         "ADDRESS answers /status with status 502; is that the right admin address?"},
        {"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\nfu", NULL,
         "the answer of ADDRESS broke off"},
        {"SSH-2.0-x\r\n", NULL,
         "what answers on ADDRESS does not speak HTTP; is that the admin address?"},
        {"", NULL, "what answers on ADDRESS does not speak HTTP; is that the admin address?"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf body = BUF_INIT, why = BUF_INIT;
        struct peer peer;

        peer_start(&peer, cases[i].answer, NULL);
        int err = fetch(peer.address, "/status", &body, &why);
        peer_end(&peer);
        cr_expect_eq(err == 0, cases[i].body != NULL, "%s", cases[i].answer);
        cr_expect_neq(strstr(peer.asked, "GET /status HTTP/1.1\r\nHost: 127.0.0.1:"), NULL);
        if (cases[i].body) {
            cr_expect(span_eq(buf_span(&body), span_str(cases[i].body)), "%s", cases[i].answer);
        } else {
            char want[256];
            const char *at = strstr(cases[i].why, "ADDRESS");
            snprintf(want, sizeof(want), "%.*s%s%s", (int)(at - cases[i].why), cases[i].why,
                     peer.address, at + strlen("ADDRESS"));
            cr_expect(span_eq(buf_span(&why), span_str(want)), "%.*s", SPAN_ARGS(buf_span(&why)));
        }
        buf_fini(&body);
        buf_fini(&why);
    }
}

Test(fetch, what_a_refusal_says_is_handed_on)
{
    static const struct {
        const char *status;
        int err;
    } cases[] = {{"400 Bad Request", ERR_REFUSED}, {"503 Service Unavailable", ERR_BUSY}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf body = BUF_INIT, why = BUF_INIT;
        char answer[128];
        struct peer peer;

        snprintf(answer, sizeof(answer), "HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\n{}",
                 cases[i].status);
        peer_start(&peer, answer, NULL);
        cr_expect_eq(fetch_post(peer.address, "/purge", &body, &why), cases[i].err);
        peer_end(&peer);
        cr_expect(span_eq(buf_span(&body), SPAN("{}")));
        buf_fini(&body);
        buf_fini(&why);
    }
}

Test(fetch, unix_sockets)
{
    char folder[] = "/tmp/larder-test-XXXXXX", path[64];
    struct buf body = BUF_INIT, why = BUF_INIT;
    struct peer peer;

    cr_assert_neq(mkdtemp(folder), NULL);
    snprintf(path, sizeof(path), "%s/admin", folder);
    peer_start(&peer, OK "Content-Length: 2\r\n\r\nhi", path);
    cr_expect_eq(fetch(peer.address, "/", &body, &why), 0);
    peer_end(&peer);
    cr_expect(span_eq(buf_span(&body), SPAN("hi")));
    unlink(path);
    rmdir(folder);
    buf_fini(&body);
    buf_fini(&why);
}

Test(fetch, says_why_nobody_answers)
{
    static const struct {
        const char *admin, *why;
    } cases[] = {
        {"unix:/nonexistent/socket", "there is no socket unix:/nonexistent/socket; is the daemon "
                                     "running, with that admin address?"},
        {"127.0.0.1:1", "nothing listens on 127.0.0.1:1 (connection refused); is it "
                        "running? --admin ADDRESS names another admin listener"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf body = BUF_INIT, why = BUF_INIT;

        cr_expect_lt(fetch(cases[i].admin, "/status", &body, &why), 0);
        cr_expect(span_eq(buf_span(&why), span_str(cases[i].why)), "%.*s",
                  SPAN_ARGS(buf_span(&why)));
        buf_fini(&body);
        buf_fini(&why);
    }
}

Test(fetch, addresses_are_completed)
{
    static const struct {
        const char *admin, *usual, *want;
    } cases[] = {
        {NULL, FETCH_DNS_ADMIN, "127.0.0.1:3130"},
        {"dns1.example", FETCH_DNS_ADMIN, "dns1.example:3130"},
        {"http://dns1.example/", FETCH_PROXY_ADMIN, "dns1.example:3129"},
        {"[::1]", FETCH_DNS_ADMIN, "[::1]:3130"},
        {"[::1]:1", FETCH_DNS_ADMIN, "[::1]:1"},
        {"4000", FETCH_DNS_ADMIN, "127.0.0.1:4000"},
        {"192.0.2.1:4000", FETCH_DNS_ADMIN, "192.0.2.1:4000"},
        {"unix:/run/a", FETCH_DNS_ADMIN, "unix:/run/a"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = BUF_INIT, why = BUF_INIT;

        cr_expect_eq(fetch_address(cases[i].admin, cases[i].usual, &out, &why), 0);
        cr_expect_str_eq(out.data, cases[i].want);
        buf_fini(&out);
        buf_fini(&why);
    }
}

Test(fetch, what_is_no_address_is_named)
{
    static const struct {
        const char *admin, *why;
    } cases[] = {
        {"unix:", "\"unix:\" is no path of a socket; expected unix:/PATH of at most 107 bytes"},
        {"127.0.0.1:x",
         "\"127.0.0.1:x\" is not an address; expected ADDRESS:PORT such as 127.0.0.1:3129, "
         "or unix:/PATH"},
        {"[::1]x3129", "\"[::1]x3129\" is not an address; expected ADDRESS:PORT such as "
                       "127.0.0.1:3129, or unix:/PATH"},
        {"[",
         "\"[\" is not an address; expected ADDRESS:PORT such as 127.0.0.1:3129, or unix:/PATH"},
        {"", "\"\" is not an address; expected ADDRESS:PORT such as 127.0.0.1:3129, or unix:/PATH"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = BUF_INIT, why = BUF_INIT;

        cr_expect_eq(fetch_address(cases[i].admin, FETCH_PROXY_ADMIN, &out, &why), ERR_SYNTAX);
        cr_expect(span_eq(buf_span(&why), span_str(cases[i].why)), "%.*s",
                  SPAN_ARGS(buf_span(&why)));
        buf_fini(&out);
        buf_fini(&why);
    }
}
