/* exchange_who - CHECK: authenticates the user, when an access rule needs to know it (RFC 9110
 * 11.7). */
#include "proxy/client/exchange_parts.h"

#include "base/clock.h"
#include "proxy/access/set.h"

/* The answer may be forgotten before it is read, but hardly several times. */
enum { WHO_TRIES_MAX = 3 };

static void wake(void *arg)
{
    struct exchange *x = arg;

    atomic_store_explicit(&x->who_wake, true, memory_order_release);
    loop_post(x->worker->loop, &x->letter);
}

static enum exchange_state refuse(struct exchange *x, int status, enum reason reason)
{
    return exchange_refuse(x, status, reason, NULL);
}

/* Exactly one field is accepted, as it would be unclear which one counts. */
static bool read_credentials(struct exchange *x, struct credentials *out)
{
    const struct http_fields *fields = &x->request.fields;

    return fields_count(fields, FIELD_PROXY_AUTHORIZATION) == 1 &&
           credentials_parse(fields_get(fields, FIELD_PROXY_AUTHORIZATION), &x->arena, out) == 0;
}

enum exchange_state exchange_who(struct exchange *x)
{
    struct auth_question question = {
        .users = access_set_users(x->settings),
        .client = &x->client->ip,
        .now_ms = clock_mono_ms(),
    };

    if (!fields_has(&x->request.fields, FIELD_PROXY_AUTHORIZATION)) {
        return refuse(x, 407, REASON_CREDENTIALS);
    }
    if (question.users == NULL || !read_credentials(x, &question.credentials)) {
        return refuse(x, 407, REASON_WRONG_PASSWORD);
    }
    if (x->who_tries++ == WHO_TRIES_MAX) {
        return refuse(x, 503, REASON_AUTH_BUSY);
    }
    x->who.wake = wake;
    x->who.arg = x;
    switch (auth_ask(x->worker->auth, &question, &x->who)) {
    case AUTH_RIGHT:
        x->user = users_find(question.users, question.credentials.name);
        return exchange_route(x);
    case AUTH_WRONG:
        return refuse(x, 407, REASON_WRONG_PASSWORD);
    case AUTH_WAIT:
        return EX_CHECK;
    case AUTH_BUSY:
        return refuse(x, 503, REASON_AUTH_BUSY);
    case AUTH_GUESSER:
        return refuse(x, 429, REASON_AUTH_GUESSES);
    }
    UNREACHABLE();
}

enum exchange_state exchange_check(struct exchange *x)
{
    return atomic_exchange(&x->who_wake, false) ? EX_ROUTE : EX_CHECK;
}
