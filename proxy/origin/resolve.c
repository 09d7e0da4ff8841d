#include "proxy/origin/resolve.h"

#include "base/err.h"
#include "base/file_identity.h"
#include "base/mem.h"
#include "proxy/origin/hosts.h"

#define HOSTS_PATH "/etc/hosts"
#define RESOLV_CONF "/etc/resolv.conf"

enum {
    NAMES_MAX = 4096,
    /* most names that are being resolved: each needs two queries, and up to a quarter of a
     * minute */
    ASKING_MAX = 1024,
    NAME_BYTES_MAX = 253,
    LABEL_BYTES_MAX = 63,
    TRY_MIN_MS = 50,
    TRY_MAX_MS = 2000,
};

struct resolver {
    struct loop *loop;
    struct hosts *hosts;
    struct namecache cache;
    struct inquiries inquiries;
    struct buf nameservers;           /* as configured, to detect changes */
    struct file_identity resolv_conf; /* state of /etc/resolv.conf, for the same purpose */
};

/* --- names ----------------------------------------------------------------------------------- */

static bool is_name_byte(char c)
{
    c = ascii_lower(c);
    return (c >= 'a' && c <= 'z') || ascii_is_digit(c) || c == '-' || c == '_';
}

static bool is_label(struct span label)
{
    if (label.len == 0 || label.len > LABEL_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < label.len; i++) {
        if (!is_name_byte(label.at[i])) {
            return false;
        }
    }
    return true;
}

static bool is_number(struct span label)
{
    size_t digits = 0;

    if (label.len >= 2 && label.at[0] == '0' && ascii_lower(label.at[1]) == 'x') {
        return true;
    }
    while (digits < label.len && ascii_is_digit(label.at[digits])) {
        digits++;
    }
    return digits == label.len;
}

static struct span without_dot(struct span name)
{
    return span_ends(name, SPAN(".")) ? span_take(name, name.len - 1) : name;
}

bool resolve_is_name(struct span name)
{
    struct span rest = without_dot(name);
    struct span label = SPAN_EMPTY;

    if (rest.len == 0 || rest.len > NAME_BYTES_MAX || span_ends(rest, SPAN("."))) {
        return false;
    }
    while (rest.len > 0) {
        label = span_cut(&rest, '.');
        if (!is_label(label)) {
            return false;
        }
    }
    return !is_number(label);
}

/* RFC 6761 section 6.3: never asked for. */
static bool is_localhost(struct span name)
{
    return span_eq(name, SPAN("localhost")) || span_ends(name, SPAN(".localhost"));
}

/* --- answers without a query ----------------------------------------------------------------- */

static void answer_localhost(struct resolve_answer *answer)
{
    CHECK(ip_parse(SPAN("::1"), &answer->at[0]) == 0);
    CHECK(ip_parse(SPAN("127.0.0.1"), &answer->at[1]) == 0);
    answer->count = 2;
}

static int compare_family(const void *a, const void *b)
{
    return (int)ip_is_v4(a) - (int)ip_is_v4(b);
}

static bool answer_locally(struct resolver *resolver, struct span name,
                           struct resolve_answer *answer)
{
    answer->count = hosts_find(resolver->hosts, name, loop_now_ms(resolver->loop), answer->at,
                               RESOLVE_ADDRESSES_MAX);
    if (answer->count > 0) {
        qsort(answer->at, answer->count, sizeof(answer->at[0]), compare_family);
    } else if (is_localhost(name)) {
        answer_localhost(answer);
    }
    return answer->count > 0;
}

/* --- resolve --------------------------------------------------------------------------------- */

/* Does this client have too many of the questions in progress? A client may have no more than are
 * left for others: alone it may have half of them, two may have a third each. Below half of the
 * limit nobody is refused. */
static bool is_crowded(const struct resolver *resolver, const struct resolve_waiter *waiter)
{
    static const struct ip nobody;
    const struct namecache *cache = &resolver->cache;

    if (waiter->is_configured || namecache_is_busy(cache)) {
        return !waiter->is_configured;
    }
    size_t left = cache->asking_max - cache->asking;
    return cache->asking >= left && !ip_eq(&waiter->client, &nobody) &&
           inquiries_of(&resolver->inquiries, &waiter->client) >= left;
}

static bool resolve_remotely(struct resolver *resolver, struct span name,
                             struct resolve_waiter *waiter, struct resolve_answer *answer)
{
    struct name_entry *entry = namecache_find(&resolver->cache, name, waiter->is_configured);
    uint64_t now_ms = loop_now_ms(resolver->loop);
    bool is_asked = entry && entry->inquiry;

    if (entry && !is_asked && now_ms < entry->expires_ms) {
        name_entry_answer(entry, answer);
        return true;
    }
    /* thousands of names are waiting for the name servers, but cached names are served */
    if (!is_asked && is_crowded(resolver, waiter)) {
        if (entry && name_entry_serves_stale(entry, now_ms)) {
            name_entry_answer(entry, answer);
            answer->stale = true;
        } else {
            answer->err = ERR_BUSY;
        }
        return true;
    }
    if (entry == NULL) {
        entry = namecache_get(&resolver->cache, name, waiter->is_configured);
    }
    return inquiry_join(&resolver->inquiries, entry, waiter, answer);
}

bool resolve(struct resolver *resolver, struct span name, struct resolve_waiter *waiter,
             struct resolve_answer *answer)
{
    char lower[NAME_BYTES_MAX];

    list_init(&waiter->link);
    *answer = (struct resolve_answer){0};
    if (ip_parse(name, &answer->at[0]) == 0) {
        answer->count = 1;
        return true;
    }
    if (!resolve_is_name(name)) {
        answer->err = ERR_NO_ADDRESS;
        return true;
    }
    name = without_dot(name);
    for (size_t i = 0; i < name.len; i++) {
        lower[i] = ascii_lower(name.at[i]);
    }
    name.at = lower;
    return answer_locally(resolver, name, answer) ||
           resolve_remotely(resolver, name, waiter, answer);
}

void resolve_cancel(struct resolve_waiter *waiter)
{
    list_remove(&waiter->link);
}

/* --- life ------------------------------------------------------------------------------------ */

/* c-ares asks three times, doubling its timeout: lost packets are repeated within the timeout, and
 * an answer that is too late for the waiters still fills the cache. */
static uint64_t try_ms(uint64_t timeout_ms)
{
    uint64_t ms = timeout_ms / 4;

    ms = ms > TRY_MIN_MS ? ms : TRY_MIN_MS;
    return ms < TRY_MAX_MS ? ms : TRY_MAX_MS;
}

static struct buf list_nameservers(const struct resolver_settings *settings)
{
    struct buf list = BUF_INIT;

    for (size_t i = 0; i < settings->nameserver_count; i++) {
        buf_printf(&list, "%s\n", settings->nameservers[i]);
    }
    return list;
}

static bool same_servers(const struct resolver *resolver, const struct buf *nameservers,
                         const struct file_identity *resolv_conf)
{
    bool system = buf_len(nameservers) == 0;

    return span_eq(buf_span(&resolver->nameservers), buf_span(nameservers)) &&
           (!system || file_same(&resolver->resolv_conf, resolv_conf));
}

static int set_servers(struct resolver *resolver, const struct resolver_settings *settings)
{
    int err = inquiries_set_servers(&resolver->inquiries,
                                    (struct dnsclient_settings){
                                        .nameservers = settings->nameservers,
                                        .nameserver_count = settings->nameserver_count,
                                        .try_ms = try_ms(settings->timeout_ms),
                                    });
    if (!err) {
        namecache_expire(&resolver->cache, loop_now_ms(resolver->loop));
    }
    return err;
}

static int apply(struct resolver *resolver, const struct resolver_settings *settings, bool first)
{
    struct buf nameservers = list_nameservers(settings);
    struct file_identity resolv_conf;

    file_identify(RESOLV_CONF, &resolv_conf);
    bool same = !first && same_servers(resolver, &nameservers, &resolv_conf) &&
                try_ms(settings->timeout_ms) == try_ms(resolver->inquiries.timeout_ms);
    int err = same ? 0 : set_servers(resolver, settings);

    if (err) {
        buf_fini(&nameservers);
        return err;
    }
    buf_fini(&resolver->nameservers);
    resolver->nameservers = nameservers;
    resolver->resolv_conf = resolv_conf;
    resolver->inquiries.timeout_ms = settings->timeout_ms;
    hosts_free(&resolver->hosts);
    resolver->hosts = hosts_new(settings->hosts_path ? settings->hosts_path : HOSTS_PATH);
    return 0;
}

int resolver_reconfigure(struct resolver *resolver, const struct resolver_settings *settings)
{
    return apply(resolver, settings, false);
}

int resolver_new(struct loop *loop, const struct resolver_settings *settings, struct resolver **out)
{
    struct resolver *resolver = xcalloc(1, sizeof(*resolver));

    resolver->loop = loop;
    namecache_init(&resolver->cache, NAMES_MAX, ASKING_MAX);
    inquiries_init(&resolver->inquiries, loop);
    int err = apply(resolver, settings, true);
    if (err) {
        resolver_free(&resolver);
    }
    *out = resolver;
    return err;
}

void resolver_free(struct resolver **resolver)
{
    struct resolver *r = *resolver;

    if (r == NULL) {
        return;
    }
    *resolver = NULL;
    inquiries_fini(&r->inquiries);
    namecache_fini(&r->cache);
    hosts_free(&r->hosts);
    buf_fini(&r->nameservers);
    free(r);
}

void resolver_stats(const struct resolver *resolver, struct resolver_stats *out)
{
    *out = (struct resolver_stats){
        .asked = resolver->inquiries.asked,
        .failures = resolver->inquiries.failures,
        .cached = resolver->cache.names.count,
    };
}
