#include "proxy/origin/inquiry.h"

#include "base/err.h"
#include "base/mem.h"

enum {
    TTL_MIN_MS = 1000,
    TTL_MAX_MS = 3600 * 1000,
    NEGATIVE_MS = 5000, /* TTL when the name has no address */
    HALF_MS = 10000,    /* TTL when one family is known, and the question for the other failed */
    FAILURE_MS = 1000,  /* TTL when the name servers fail and nothing is known */
    STALE_RETRY_MS =
        5000, /* time until the name servers are asked again after an expired answer was used */

    STALE_WAIT_MS = 1800,     /* wait before an expired answer is used (RFC 8767 section 5) */
    RESOLUTION_DELAY_MS = 50, /* IPv4 waits for IPv6 (RFC 8305 section 3) */

    IPV6_CLIENT_BYTES = 8, /* bytes of an IPv6 address that identify a client: a /64 */
};

/* The answer for one family. */
struct half {
    struct dns_question question;
    struct inquiry *inquiry;
    bool pending;
    int err;
    uint32_t ttl;
    size_t count;
    struct ip at[DNS_ADDRESSES_MAX];
};

struct inquiry {
    struct inquiries *inquiries;
    struct name_entry *entry;
    struct list link;
    struct list settled;
    struct list waiters;
    struct ip client; /* client that has started the inquiry */
    struct half halves[DNS_FAMILIES];
    struct timeout patience;
    uint64_t deadline_ms;
    bool shown;   /* the waiters have a partial answer */
    bool overdue; /* no request waits for it any more; a late reply still fills the cache */
};

_Static_assert(DNS_FAMILIES *DNS_ADDRESSES_MAX <= RESOLVE_ADDRESSES_MAX, "an answer holds both");

/* --- replies --------------------------------------------------------------------------------- */

static bool is_pending(const struct inquiry *inquiry)
{
    return inquiry->halves[DNS_V6].pending || inquiry->halves[DNS_V4].pending;
}

static bool has_addresses(const struct inquiry *inquiry)
{
    return inquiry->halves[DNS_V6].count + inquiry->halves[DNS_V4].count > 0;
}

static void gather(const struct inquiry *inquiry, struct resolve_answer *answer)
{
    *answer = (struct resolve_answer){.partial = !inquiry->overdue && is_pending(inquiry)};
    for (int family = 0; family < DNS_FAMILIES; family++) {
        const struct half *half = &inquiry->halves[family];
        memcpy(&answer->at[answer->count], half->at, half->count * sizeof(half->at[0]));
        answer->count += half->count;
    }
}

static uint64_t half_ttl_ms(const struct half *half)
{
    if (half->err == ERR_NO_ADDRESS) {
        return TTL_MAX_MS;
    }
    return half->err ? HALF_MS : (uint64_t)half->ttl * 1000;
}

/* How long the answers for both families may be cached. */
static uint64_t ttl_ms(const struct inquiry *inquiry)
{
    uint64_t v6 = half_ttl_ms(&inquiry->halves[DNS_V6]);
    uint64_t v4 = half_ttl_ms(&inquiry->halves[DNS_V4]);
    uint64_t least = v6 < v4 ? v6 : v4;

    least = least < TTL_MAX_MS ? least : TTL_MAX_MS;
    return least > TTL_MIN_MS ? least : TTL_MIN_MS;
}

static bool half_failed(const struct half *half)
{
    return half->err == ERR_TIMEOUT || half->err == ERR_IO;
}

/* Neither family has an address. */
static void conclude_without(struct inquiry *inquiry, uint64_t now_ms)
{
    const struct half *v6 = &inquiry->halves[DNS_V6];
    const struct half *v4 = &inquiry->halves[DNS_V4];
    bool late = v6->err == ERR_TIMEOUT || v4->err == ERR_TIMEOUT;
    bool failed = half_failed(v6) || half_failed(v4);
    struct resolve_answer answer = {.err = late ? ERR_TIMEOUT : ERR_NO_ADDRESS};

    if (failed && name_entry_serves_stale(inquiry->entry, now_ms)) {
        name_entry_keep_stale(inquiry->entry, now_ms, STALE_RETRY_MS);
        return;
    }
    name_entry_keep(inquiry->entry, &answer, now_ms, failed ? FAILURE_MS : NEGATIVE_MS);
}

/* Both answers are there: updates the cache entry and ends the inquiry. */
static void conclude(struct inquiry *inquiry)
{
    uint64_t now_ms = loop_now_ms(inquiry->inquiries->loop);
    struct resolve_answer answer;

    if (has_addresses(inquiry)) {
        gather(inquiry, &answer);
        name_entry_keep(inquiry->entry, &answer, now_ms, ttl_ms(inquiry));
    } else {
        conclude_without(inquiry, now_ms);
    }
}

static void inquiry_free(struct inquiry *inquiry)
{
    timeout_clear(&inquiry->patience);
    list_remove(&inquiry->link);
    list_remove(&inquiry->settled);
    name_entry_ask(inquiry->entry, NULL);
    free(inquiry);
}

/* --- telling those who wait ------------------------------------------------------------------ */

static void tell(struct list *waiters, const struct resolve_answer *answer)
{
    struct list *link;

    while ((link = list_pop_front(waiters)) != NULL) {
        struct resolve_waiter *waiter = list_entry(link, struct resolve_waiter, link);
        waiter->answered(waiter, answer);
    }
}

/* Gives the addresses known so far to the waiters, which keep waiting for the others. */
static void show(struct inquiry *inquiry)
{
    struct loop *loop = inquiry->inquiries->loop;
    uint64_t now_ms = loop_now_ms(loop);
    struct resolve_answer answer;
    struct list batch;
    struct list *link;

    inquiry->shown = true;
    timeout_set(loop, &inquiry->patience,
                inquiry->deadline_ms > now_ms ? inquiry->deadline_ms - now_ms : 1);
    gather(inquiry, &answer);
    list_move_all(&inquiry->waiters, &batch);
    while ((link = list_pop_front(&batch)) != NULL) {
        struct resolve_waiter *waiter = list_entry(link, struct resolve_waiter, link);
        list_push_back(&inquiry->waiters, link);
        waiter->answered(waiter, &answer);
    }
}

static void finish(struct inquiry *inquiry)
{
    struct resolve_answer answer;
    struct list batch;

    conclude(inquiry);
    name_entry_answer(inquiry->entry, &answer);
    list_move_all(&inquiry->waiters, &batch);
    inquiry_free(inquiry);
    tell(&batch, &answer);
}

/* The answer that can be given before both families are known. False: there is none. */
static bool so_far(const struct inquiry *inquiry, struct resolve_answer *answer)
{
    if (has_addresses(inquiry)) {
        gather(inquiry, answer);
        return true;
    }
    if (name_entry_serves_stale(inquiry->entry, loop_now_ms(inquiry->inquiries->loop))) {
        name_entry_answer(inquiry->entry, answer);
        answer->stale = true;
        return true;
    }
    return false;
}

static void on_patience_end(struct timeout *timeout)
{
    struct inquiry *inquiry = container_of(timeout, struct inquiry, patience);
    struct resolve_answer answer;
    struct list batch;

    if (has_addresses(inquiry) && !inquiry->shown && !inquiry->overdue) {
        show(inquiry);
        return;
    }
    inquiry->overdue = true;
    if (!so_far(inquiry, &answer)) {
        answer = (struct resolve_answer){.err = ERR_TIMEOUT};
    }
    list_move_all(&inquiry->waiters, &batch);
    tell(&batch, &answer);
}

static void advance(struct inquiry *inquiry)
{
    if (!is_pending(inquiry)) {
        finish(inquiry);
    } else if (inquiry->shown || inquiry->overdue) {
        return;
    } else if (inquiry->halves[DNS_V6].count > 0) {
        show(inquiry);
    } else if (inquiry->halves[DNS_V4].count > 0) {
        timeout_set(inquiry->inquiries->loop, &inquiry->patience, RESOLUTION_DELAY_MS);
    }
}

static void on_settled(void *owner)
{
    struct inquiries *inquiries = owner;
    struct list *link;

    while ((link = list_pop_front(&inquiries->settled)) != NULL) {
        advance(list_entry(link, struct inquiry, settled));
    }
}

/* --- asking ---------------------------------------------------------------------------------- */

static void on_reply(struct dns_question *question, const struct dns_reply *reply)
{
    struct half *half = container_of(question, struct half, question);
    struct inquiries *inquiries = half->inquiry->inquiries;

    half->pending = false;
    half->err = reply->err;
    half->ttl = reply->ttl;
    half->count = reply->err ? 0 : reply->count;
    memcpy(half->at, reply->addresses, half->count * sizeof(half->at[0]));
    inquiries->failures += half_failed(half);
    list_remove(&half->inquiry->settled);
    list_push_back(&inquiries->settled, &half->inquiry->settled);
}

static void ask(struct inquiry *inquiry, enum dns_family family)
{
    struct half *half = &inquiry->halves[family];

    half->inquiry = inquiry;
    half->pending = true;
    half->question.answered = on_reply;
    inquiry->inquiries->asked++;
    dnsclient_ask(inquiry->inquiries->client, inquiry->entry->name, family, &half->question);
}

static void be_patient(struct inquiry *inquiry)
{
    struct loop *loop = inquiry->inquiries->loop;
    uint64_t ms = inquiry->inquiries->timeout_ms;

    if (ms > STALE_WAIT_MS && name_entry_serves_stale(inquiry->entry, loop_now_ms(loop))) {
        ms = STALE_WAIT_MS;
    }
    timeout_set(loop, &inquiry->patience, ms);
}

static struct inquiry *start(struct inquiries *inquiries, struct name_entry *entry,
                             const struct ip *client)
{
    struct inquiry *inquiry = xcalloc(1, sizeof(*inquiry));

    inquiry->inquiries = inquiries;
    inquiry->entry = entry;
    inquiry->client = *client;
    name_entry_ask(entry, inquiry);
    list_push_back(&inquiries->all, &inquiry->link);
    list_init(&inquiry->settled);
    list_init(&inquiry->waiters);
    timeout_init(&inquiry->patience, on_patience_end);
    inquiry->deadline_ms = loop_now_ms(inquiries->loop) + inquiries->timeout_ms;
    be_patient(inquiry);
    ask(inquiry, DNS_V6);
    ask(inquiry, DNS_V4);
    return inquiry;
}

bool inquiry_join(struct inquiries *inquiries, struct name_entry *entry,
                  struct resolve_waiter *waiter, struct resolve_answer *answer)
{
    struct inquiry *inquiry =
        entry->inquiry ? entry->inquiry : start(inquiries, entry, &waiter->client);
    bool known = (inquiry->shown || inquiry->overdue) && so_far(inquiry, answer);
    if (!known || answer->partial) {
        list_push_back(&inquiry->waiters, &waiter->link);
    }
    if (!known && inquiry->overdue && inquiry->patience.due == 0) {
        be_patient(inquiry);
    }
    return known;
}

static bool is_same_client(const struct ip *a, const struct ip *b)
{
    return ip_is_v4(a) || ip_is_v4(b) ? ip_eq(a, b) : memcmp(a->at, b->at, IPV6_CLIENT_BYTES) == 0;
}

size_t inquiries_of(const struct inquiries *inquiries, const struct ip *client)
{
    size_t count = 0;

    list_each(link, &inquiries->all)
    {
        count += is_same_client(&list_entry(link, struct inquiry, link)->client, client);
    }
    return count;
}

/* --- life ------------------------------------------------------------------------------------ */

void inquiries_init(struct inquiries *inquiries, struct loop *loop)
{
    *inquiries = (struct inquiries){.loop = loop};
    list_init(&inquiries->all);
    list_init(&inquiries->settled);
}

void inquiries_fini(struct inquiries *inquiries)
{
    struct list waiters;

    dnsclient_free(&inquiries->client);
    list_each_safe(link, &inquiries->all)
    {
        struct inquiry *inquiry = list_entry(link, struct inquiry, link);
        list_move_all(&inquiry->waiters, &waiters);
        while (list_pop_front(&waiters) != NULL) {
        }
        inquiry_free(inquiry);
    }
}

static void ask_again(struct inquiries *inquiries)
{
    list_each(link, &inquiries->all)
    {
        struct inquiry *inquiry = list_entry(link, struct inquiry, link);
        for (int family = 0; family < DNS_FAMILIES; family++) {
            if (inquiry->halves[family].pending) {
                ask(inquiry, (enum dns_family)family);
            }
        }
    }
}

int inquiries_set_servers(struct inquiries *inquiries, struct dnsclient_settings settings)
{
    struct dnsclient *client;

    settings.settled = on_settled;
    settings.owner = inquiries;
    int err = dnsclient_new(inquiries->loop, &settings, &client);
    if (err) {
        return err;
    }
    dnsclient_free(&inquiries->client);
    inquiries->client = client;
    ask_again(inquiries);
    return 0;
}
