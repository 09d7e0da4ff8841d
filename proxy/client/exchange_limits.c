/* exchange_limits - quotas and rate limits of the client's account. */
#include "proxy/client/exchange_parts.h"

/* Responses made by the proxy itself do not count. */
static bool is_own(const struct exchange *x)
{
    switch (x->decision.outcome) {
    case OUTCOME_NONE:
    case OUTCOME_DENIED:
    case OUTCOME_LOCAL:
    case OUTCOME_ERROR:
        return true;
    default:
        return false;
    }
}

static bool is_used_up(struct exchange *x)
{
    return meter_refuses(&x->meter, &x->quota.used, &x->quota.until);
}

/* The request's body has used the quota up. Its origin gets no more of it, and no end. */
static void refuse_body(struct exchange *x)
{
    is_used_up(x);
    exchange_close_body(x);
    lookup_fini(&x->lookup); /* nobody waits for the origin any more */
    exchange_drop_fetch(x);
    x->state = exchange_refuse(x, 403, REASON_QUOTA, NULL);
    stream_resume(x->stream); /* some more is read, or the answer would be lost by a reset */
}

static void on_cut(void *arg)
{
    struct exchange *x = arg;

    if (x->tunnel == NULL && !x->sent && (x->state == EX_READ || x->state == EX_AWAIT)) {
        refuse_body(x);
    } else if (x->tunnel || !x->sent) { /* otherwise the source of what is being sent ends it */
        exchange_give_up(x);
    }
}

/* Counts what has come of the body before, while a password was checked. */
static void count_early(struct exchange *x)
{
    if (x->request_body) {
        meter_add(&x->meter, spool_length(x->request_body));
    }
}

enum reason exchange_open_account(struct exchange *x, const struct access_rule *rule)
{
    const struct access_limits *limits = rule && rule->limits.given ? &rule->limits : NULL;
    struct accounts *accounts = x->worker->accounts;

    if ((limits == NULL && x->settings->shares.total == 0) || accounts == NULL) {
        return REASON_NONE;
    }
    struct account *account = account_take(accounts, x->user ? x->user->name : SPAN_EMPTY,
                                           &x->client->ip, x->settings->shares.client);
    if (account == NULL) {
        return REASON_OVERLOAD;
    }
    meter_init(&x->meter, x->worker->loop, account, limits);
    x->meter.on_cut = on_cut;
    x->meter.arg = x;
    if (is_used_up(x)) {
        return REASON_QUOTA;
    }
    count_early(x);
    return is_used_up(x) ? REASON_QUOTA : REASON_NONE;
}

struct source *exchange_metered(struct exchange *x, struct source *body)
{
    bool is_free = x->settings->shares.free_hits && decision_is_hit(&x->decision);

    if (x->meter.account == NULL || body == NULL || is_free || is_own(x)) {
        return body;
    }
    return meter_wrap(&x->meter, body, x->decision.outcome == OUTCOME_TUNNEL);
}

bool exchange_count_received(struct exchange *x, size_t bytes)
{
    return x->meter.account == NULL || meter_add(&x->meter, bytes);
}
