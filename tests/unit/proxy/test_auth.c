#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "proxy/access/auth.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

/* Cheap ones, so that a test may compare many. */
#define HASH "$apr1$x$16j9.5e7KiXmuYFAYpPJM/"         /* of "a" */
#define OTHER "$apr1$r31.....$ARC3pREO82RIm0aQ2zszC0" /* of "password" */

static struct users *users_of(const char *text)
{
    struct buf errors = BUF_INIT;
    struct users *users;

    cr_assert_eq(users_read("passwd", span_str(text), "", SPAN_EMPTY, &errors, &errors, &users), 0);
    buf_fini(&errors);
    return users;
}

/* ---- somebody who waits ---- */

struct waiter {
    struct auth_ticket ticket;
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool woken;
};

static void wake(void *arg)
{
    struct waiter *waiter = arg;

    pthread_mutex_lock(&waiter->lock);
    waiter->woken = true;
    pthread_cond_signal(&waiter->told);
    pthread_mutex_unlock(&waiter->lock);
}

static struct waiter *waiter_new(void)
{
    struct waiter *waiter = xcalloc(1, sizeof(*waiter));

    pthread_mutex_init(&waiter->lock, NULL);
    pthread_cond_init(&waiter->told, NULL);
    waiter->ticket.wake = wake;
    waiter->ticket.arg = waiter;
    return waiter;
}

static void waiter_wait(struct waiter *waiter)
{
    pthread_mutex_lock(&waiter->lock);
    while (!waiter->woken) {
        pthread_cond_wait(&waiter->told, &waiter->lock);
    }
    waiter->woken = false;
    pthread_mutex_unlock(&waiter->lock);
}

static void waiter_free(struct waiter *waiter)
{
    auth_forget(&waiter->ticket);
    pthread_mutex_destroy(&waiter->lock);
    pthread_cond_destroy(&waiter->told);
    free(waiter);
}

static struct ip client_of(unsigned number)
{
    struct ip ip = {.at = {[10] = 0xff, [11] = 0xff, [12] = 10}};

    ip.at[14] = (uint8_t)(number >> 8);
    ip.at[15] = (uint8_t)number;
    return ip;
}

/* Where a slow machine must not make a wrong password be forgotten; 0: the clock's. */
static uint64_t frozen_ms;

static enum auth_state ask(struct auth *auth, const struct users *users, const char *name,
                           const char *password, unsigned client, struct waiter *waiter)
{
    struct ip ip = client_of(client);
    struct auth_question question = {
        .users = users,
        .credentials = {span_str(name), span_str(password)},
        .client = &ip,
        .now_ms = frozen_ms ? frozen_ms : clock_mono_ms(),
    };

    return auth_ask(auth, &question, &waiter->ticket);
}

/* With waiting, as often as it takes. */
static enum auth_state find_out(struct auth *auth, const struct users *users, const char *name,
                                const char *password, unsigned client)
{
    struct waiter *waiter = waiter_new();
    enum auth_state state;

    while ((state = ask(auth, users, name, password, client, waiter)) == AUTH_WAIT) {
        waiter_wait(waiter);
    }
    waiter_free(waiter);
    return state;
}

Test(auth, right_wrong_and_unknown)
{
    struct users *users = users_of("anna:" HASH "\nbert:" OTHER "\n");
    struct auth *auth = auth_new();
    struct auth_stats stats;

    cr_expect_eq(find_out(auth, users, "anna", "a", 1), AUTH_RIGHT);
    cr_expect_eq(find_out(auth, users, "bert", "password", 1), AUTH_RIGHT);
    cr_expect_eq(find_out(auth, users, "anna", "password", 1), AUTH_WRONG);
    cr_expect_eq(find_out(auth, users, "bert", "a", 1), AUTH_WRONG);
    cr_expect_eq(find_out(auth, users, "anna", "", 1), AUTH_WRONG);
    /* Whatever hash stands in for an unknown name's, its password does not open the door. */
    cr_expect_eq(find_out(auth, users, "carl", "a", 1), AUTH_WRONG);
    cr_expect_eq(find_out(auth, users, "carl", "password", 1), AUTH_WRONG);
    auth_stats(auth, &stats);
    cr_expect_eq(stats.checked, 7);
    cr_expect_eq(stats.right, 2);
    cr_expect_eq(stats.remembered, 2);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(find_out(auth, users, "anna", "a", 1), AUTH_RIGHT);
    }
    auth_stats(auth, &stats);
    cr_expect_eq(stats.checked, 7, "what came out is remembered");
    auth_free(&auth);
    users_unref(&users);
}

Test(auth, what_is_remembered_holds_as_long_as_the_hash)
{
    struct users *before = users_of("anna:" HASH "\nbert:" OTHER "\n");
    struct users *after = users_of("anna:" OTHER "\nbert:" OTHER "\n");
    struct users *nobody = users_of("carl:" OTHER "\n");
    struct auth *auth = auth_new();
    struct auth_stats stats;

    cr_expect_eq(find_out(auth, before, "anna", "a", 1), AUTH_RIGHT);
    cr_expect_eq(find_out(auth, before, "bert", "password", 1), AUTH_RIGHT);
    cr_expect_eq(find_out(auth, after, "anna", "a", 1), AUTH_WRONG);
    cr_expect_eq(find_out(auth, after, "anna", "password", 1), AUTH_RIGHT);
    cr_expect_eq(find_out(auth, nobody, "anna", "password", 1), AUTH_WRONG);
    auth_stats(auth, &stats);
    uint64_t checked = stats.checked;
    cr_expect_eq(find_out(auth, after, "bert", "password", 1), AUTH_RIGHT);
    auth_stats(auth, &stats);
    cr_expect_eq(stats.checked, checked, "an unchanged hash is not asked for again");
    auth_free(&auth);
    users_unref(&before);
    users_unref(&after);
    users_unref(&nobody);
}

/* bcrypt of cost 10: the first is still being compared while the others come. */
Test(auth, who_asks_the_same_waits_for_the_same)
{
    struct users *users =
        users_of("anna:$2y$10$abcdefghijklmnopqrstuuXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX\n");
    struct auth *auth = auth_new();
    struct waiter *waiters[50];
    struct auth_stats stats;
    size_t waiting = 0;

    frozen_ms = clock_mono_ms();
    for (size_t i = 0; i < ARRAY_LEN(waiters); i++) {
        waiters[i] = waiter_new();
        waiting += ask(auth, users, "anna", "x", (unsigned)i, waiters[i]) == AUTH_WAIT;
    }
    cr_expect_gt(waiting, 0);
    for (size_t i = 0; i < waiting; i++) { /* later ones may have found the answer */
        waiter_wait(waiters[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(waiters); i++) {
        cr_expect_eq(ask(auth, users, "anna", "x", (unsigned)i, waiters[i]), AUTH_WRONG);
        waiter_free(waiters[i]);
    }
    auth_stats(auth, &stats);
    cr_expect_eq(stats.checked, 1);
    auth_free(&auth);
    users_unref(&users);
}

Test(auth, who_guesses_is_slowed_down_and_others_are_not)
{
    struct users *users = users_of("anna:" HASH "\n");
    struct auth *auth = auth_new();
    enum auth_state state = AUTH_WRONG;
    char password[24];
    int tries = 0;

    cr_expect_eq(find_out(auth, users, "anna", "a", 7), AUTH_RIGHT);
    while (state == AUTH_WRONG && tries < 100000) { /* they are refilled, one a second */
        snprintf(password, sizeof(password), "guess-%d", tries++);
        state = find_out(auth, users, "anna", password, 7);
    }
    cr_expect_eq(state, AUTH_GUESSER);
    cr_expect_geq(tries, AUTH_WRONG_BURST);
    cr_expect_eq(find_out(auth, users, "anna", "a", 7), AUTH_RIGHT, "what is known stays");
    cr_expect_eq(find_out(auth, users, "anna", "another guess", 8), AUTH_WRONG);
    auth_free(&auth);
    users_unref(&users);
}

Test(auth, what_waits_is_bounded_for_one_client_and_for_all)
{
    struct users *users =
        users_of("anna:$2y$13$abcdefghijklmnopqrstuuXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX\n");
    struct auth *auth = auth_new();
    enum { ASKED = 1400 };
    struct waiter **waiters = xcalloc(ASKED, sizeof(struct waiter *));
    size_t of_one = 0, of_all = 0;
    struct auth_stats stats;
    char password[16];

    for (unsigned i = 0; i < ASKED; i++) {
        bool one = i < 300;
        waiters[i] = waiter_new();
        snprintf(password, sizeof(password), "%u", i);
        enum auth_state state = ask(auth, users, "anna", password, one ? 0 : i, waiters[i]);
        cr_assert(state == AUTH_WAIT || state == AUTH_BUSY);
        *(one ? &of_one : &of_all) += state == AUTH_WAIT;
    }
    /* A few are compared meanwhile, and make room. */
    cr_expect_geq(of_one, AUTH_CLIENT_MAX);
    cr_expect_lt(of_one, 300);
    cr_expect_geq(of_one + of_all, AUTH_QUEUE_MAX);
    cr_expect_lt(of_one + of_all, ASKED);
    auth_stats(auth, &stats);
    cr_expect_gt(stats.busy, 0);
    cr_expect_leq(stats.waiting, AUTH_QUEUE_MAX);
    for (size_t i = 0; i < ASKED; i++) {
        waiter_free(waiters[i]); /* and nobody waits any more */
    }
    auth_free(&auth); /* does not compare what is left */
    free(waiters);
    users_unref(&users);
}
