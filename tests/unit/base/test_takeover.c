#include "base/takeover.h"

#include "base/err.h"
#include "base/inherited.h"
#include "base/takeover_wire.h"
#include "base/unix_socket.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* The older process, as a thread of this one. */
struct older {
    uv_loop_t loop;
    uv_async_t end;
    struct takeover *takeover;
    pthread_t id;
    char path[64];
    atomic_bool refuses;
    atomic_int gifts;
};

static const char *refuses(void *arg)
{
    struct older *older = arg;

    return older->refuses ? "not now" : NULL;
}

static void on_gift(void *arg, struct takeover_gift *gift)
{
    struct older *older = arg;

    gift->watchdog_ms = 7;
    older->gifts++;
}

static void on_ready(void *arg)
{
    cr_assert_fail("nobody says so");
}

static void on_end(uv_async_t *async)
{
    struct older *older = async->data;

    takeover_close(&older->takeover);
    uv_close((uv_handle_t *)async, NULL);
}

static void *run(void *arg)
{
    uv_run(arg, UV_RUN_DEFAULT);
    return NULL;
}

static void make(struct older *older)
{
    const struct takeover_events events = {refuses, on_gift, on_ready, older};

    snprintf(older->path, sizeof(older->path), "/tmp/larder-takeover-%d", (int)getpid());
    cr_assert_eq(uv_loop_init(&older->loop), 0);
    uv_async_init(&older->loop, &older->end, on_end);
    older->end.data = older;
    cr_assert_eq(takeover_open(&older->loop, older->path, "larder-test", &events, &older->takeover),
                 0);
}

static void begin(struct older *older)
{
    make(older);
    cr_assert_eq(pthread_create(&older->id, NULL, run, &older->loop), 0);
}

static void end(struct older *older)
{
    uv_async_send(&older->end);
    pthread_join(older->id, NULL);
    cr_expect_eq(uv_loop_close(&older->loop), 0);
    unlink(older->path);
}

Test(takeover, is_refused_while_there_is_a_reason)
{
    static struct older older;
    const char *why = NULL;
    size_t count;

    older.refuses = true;
    begin(&older);
    cr_expect_eq(takeover_ask(older.path, "larder-test", &why), ERR_CLOSED);
    cr_expect_str_eq(why, "it refused; its log says why");
    cr_expect_eq(older.gifts, 0);
    older.refuses = false;
    cr_expect_eq(takeover_ask(older.path, "larder-test", &why), 0, "%s", why);
    cr_expect_eq(older.gifts, 1);
    cr_expect_eq(takeover_gift()->sockets, 1, "that of the takeover itself");
    cr_expect_eq(takeover_gift()->watchdog_ms, 7);
    end(&older);
    inherited_offers(&count);
    cr_expect_eq(count, 0, "what is closed is offered to nobody");
}

static int connected(const char *path)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert(unix_address(path, &address));
    cr_assert_eq(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

Test(takeover, sockets_are_for_who_says_that_it_is_the_same_program)
{
    static struct older older;
    const char *why = NULL;
    char byte;

    begin(&older);
    close(connected(older.path)); /* only looks */
    int wrong = connected(older.path);
    cr_assert_eq(send(wrong, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
    cr_expect_leq(recv(wrong, &byte, 1, 0), 0, "it is hung up");
    close(wrong);
    cr_expect_eq(takeover_ask(older.path, "larder-other", &why), ERR_CLOSED);
    cr_expect_eq(older.gifts, 0);
    cr_expect_eq(takeover_ask(older.path, "larder-test", &why), 0, "%s", why);
    cr_expect_eq(older.gifts, 1);
    end(&older);
}

/* Whoever has waited in vain for an older process that hangs is in nobody's way once it goes on. */
Test(takeover, who_has_left_is_not_waited_for)
{
    static struct older older;
    char byte;

    make(&older);
    int first = connected(older.path);
    cr_assert_eq(takeover_send_hello(first, "larder-test"), 0);
    close(first);
    int second = connected(older.path);
    cr_assert_eq(takeover_send_hello(second, "larder-test"), 0);
    cr_assert_eq(pthread_create(&older.id, NULL, run, &older.loop), 0);
    cr_expect_eq(recv(second, &byte, 1, 0), 1, "the second one is given the sockets");
    close(second);
    end(&older);
}

Test(takeover, of_more_sockets_than_the_soft_limit_allows)
{
    enum { MANY = 500 };
    static struct older older;
    struct rlimit limit;
    const char *why = NULL;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < 3 * MANY) {
        cr_skip("the hard limit is too low");
    }
    begin(&older);
    for (int i = 0; i < MANY; i++) {
        inherited_offer(STDIN_FILENO);
    }
    limit.rlim_cur = 64;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_eq(takeover_ask(older.path, "larder-test", &why), 0, "%s", why);
    cr_expect_eq(takeover_gift()->sockets, 1 + MANY);
    end(&older);
}
