#include "dnsredir/config/directives_resolver.h"

#include "base/err.h"

/* ---- redirect ---- */

static void check_redirect(void *bound, struct arena *arena, const struct conf_at *at)
{
    const struct redirect_row *row = bound;
    const struct name_row *how = &row->how;

    if (how->weight_count && how->policy != POLICY_WEIGHTED) {
        conf_complain(at, "weights", 0,
                      "only policy weighted has weights; expected that policy, or no weights");
    } else if (how->weight_count && how->replica_count == 0) {
        conf_complain(at, "weights", 0,
                      "weights of replicas that are not named; expected replicas");
    } else if (how->weight_count && how->weight_count != how->replica_count) {
        conf_complain(at, "weights", 0, "%zu weights for %zu replicas; expected one for each",
                      how->weight_count, how->replica_count);
    }
    if (how->policy == POLICY_FAILOVER && how->replica_count == 0) {
        conf_complain(at, "policy", 0, "failover needs an order; expected replicas");
    }
}

/* clang-format off */
#define REDIRECT(member) CONF_FIELD(struct redirect_row, member)
static const struct conf_directive redirect_directives[] = {
    {"names", CONF_STRING, CONF_LIST(struct redirect_row, names, name_count),
     NULL, "1", "512", CONF_REQUIRED | CONF_RELOAD,
     "Full names; *.cdn.example.org matches all names below cdn.example.org."},
    {"policy", CONF_ENUM(policy_words), REDIRECT(how.policy), "nearest", NULL, NULL, CONF_RELOAD,
     "How the replica is chosen, as in zones[].names[]."},
    {"replicas", CONF_STRING, CONF_LIST(struct redirect_row, how.replicas, how.replica_count),
     NULL, NULL, NULL, CONF_RELOAD, "Replicas to choose from. Default: all."},
    {"weights", CONF_INT, CONF_LIST(struct redirect_row, how.weights, how.weight_count),
     NULL, "1", "1000000000", CONF_RELOAD, "For weighted: one weight per replica."},
    {"answers", CONF_INT, REDIRECT(how.answers), "0", "0", "16", CONF_RELOAD,
     "Number of addresses in an answer, as in zones[].names[]."},
    {"rotate", CONF_BOOL, REDIRECT(how.rotate), "yes", NULL, NULL, CONF_RELOAD,
     "Rotate the addresses in answers."},
    {"ttl", CONF_SEC, REDIRECT(how.ttl), "30s", "0", "7d", CONF_RELOAD,
     "TTL of the addresses."},
    {"except", CONF_PREFIX, CONF_LIST(struct redirect_row, except, except_count),
     NULL, NULL, NULL, CONF_RELOAD,
     "Clients that get the real answer. Replicas always do."},
    {0},
};
const struct conf_table redirect_table = {
    .rows = redirect_directives, .size = sizeof(struct redirect_row), .finish = check_redirect};

/* ---- resolver ---- */

#define RESOLVER(member) CONF_FIELD(struct settings, resolver.member)
static const struct conf_directive resolver_directives[] = {
    {"allow", CONF_PREFIX, CONF_LIST(struct settings, resolver.allow, resolver.allow_count),
     NULL, NULL, NULL, CONF_RELOAD,
     "Clients that may use the resolver. Without it, nobody may."},
    {"forward", CONF_ENDPOINT(53),
     CONF_LIST(struct settings, resolver.forward, resolver.forward_count),
     NULL, NULL, NULL, CONF_RELOAD,
     "Resolvers to forward to. Without them, it resolves from the root."},
    {"root-hints", CONF_PATH, RESOLVER(root_hints), NULL, NULL, NULL, CONF_RELOAD,
     "Root hints in zone file format. Default: those built into libunbound."},
    {"trust-anchor", CONF_PATH, RESOLVER(trust_anchor), NULL, NULL, NULL, CONF_RELOAD,
     "DS or DNSKEY records to validate answers with, such as /usr/share/dns/root.key. "
     "Without it, answers are not validated."},
    {"cache", CONF_SIZE, RESOLVER(cache), "48MiB", "256KiB", "64GiB", CONF_RELOAD,
     "Memory for the answers received: a third for answers, the rest for records."},
    {"outstanding", CONF_INT, RESOLVER(limits.outstanding), "1000", "1", "100000", CONF_RELOAD,
     "Queries in progress; more are answered with SERVFAIL."},
    {"per-client", CONF_INT, RESOLVER(limits.per_client), "100", "1", "100000", CONF_RELOAD,
     "Queries in progress that one client (IPv4 address or IPv6 /64) may be waiting for; "
     "with those already answered as too late, twice as many."},
    {"timeout", CONF_MSEC, RESOLVER(limits.timeout_ms), "5s", "100ms", "1min", CONF_RELOAD,
     "A query without an answer by then is answered with SERVFAIL."},
    {"loopback", CONF_BOOL, RESOLVER(loopback), "no", NULL, NULL, CONF_RELOAD,
     "Allow delegations to name servers on this machine; those in forward are always allowed."},
    {"private-addresses", CONF_PREFIX,
     CONF_LIST(struct settings, resolver.private_addresses, resolver.private_count),
     NULL, NULL, NULL, CONF_RELOAD,
     "Addresses removed from answers, against DNS rebinding."},
    {"private-names", CONF_STRING,
     CONF_LIST(struct settings, resolver.private_names, resolver.private_name_count),
     NULL, "1", "255", CONF_RELOAD, "Names that may have such addresses, with their subdomains."},
    {0},
};
const struct conf_table resolver_table = {.rows = resolver_directives};
/* clang-format on */

/* ---- compiling ---- */

static void add_redirect_name(struct compiler *c, struct redirect_row *row, size_t index)
{
    struct settings *s = c->settings;
    const char *text = row->names[index];
    struct name pattern;

    if (name_parse_absolute(span_str(text), &pattern)) {
        COMPLAIN(c, "names", index,
                 "\"%s\" is not a domain name; expected one such as *.cdn.example.org", text);
        return;
    }
    if (zones_find(s->zones, &pattern).match != ZONE_NONE) {
        COMPLAIN(c, "names", index, "\"%s\" lies in a zone of ours; expected a name of others",
                 text);
        return;
    }
    int err = recursion_redirect_add(c->arena, s->recursion, &pattern, &row->rule);
    if (err) {
        COMPLAIN(c, "names", index, "\"%s\" %s", text,
                 err == ERR_BUSY ? "is redirected twice; expected each name once"
                                 : "would be all names there are; expected a domain");
    }
}

static void compile_redirect(struct compiler *c, struct redirect_row *row)
{
    const struct policy *policy = compile_policy(c, &row->how);

    if (!policy) {
        return;
    }
    if (policy->targets) {
        COMPLAIN(c, "policy", 0,
                 "a redirected name gets addresses; expected replicas with addresses");
        return;
    }
    row->rule = (struct redirect_rule){policy, row->except, row->except_count};
    for (size_t i = 0; i < row->name_count; i++) {
        add_redirect_name(c, row, i);
    }
}

/* Would a query sent to this address come back to this server? */
static bool is_own(const struct settings *s, const struct endpoint *to)
{
    struct ip ip = ip_of_sockaddr((const struct sockaddr *)&to->address);
    static const struct ip any6, any4 = {{[10] = 0xff, [11] = 0xff}};

    for (size_t i = 0; i < s->listen_count; i++) {
        const struct sockaddr *own = (const struct sockaddr *)&s->listen[i].address;
        struct ip at = ip_of_sockaddr(own);
        bool any = ip_eq(&at, &any6) || ip_eq(&at, &any4);
        bool port = memcmp((const char *)own + 2, (const char *)&to->address + 2, 2) == 0;
        if (port && (ip_eq(&at, &ip) || (any && ip_is_v4(&ip) && ip.at[12] == 127))) {
            return true;
        }
    }
    return false;
}

static void open_recursor(struct compiler *c)
{
    struct settings *s = c->settings;
    const struct resolver_row *row = &s->resolver;
    struct recursor_plan plan = {
        .forward = row->forward,
        .forward_count = row->forward_count,
        .root_hints = row->root_hints,
        .trust_anchor = row->trust_anchor,
        .message_cache = row->cache / 3,
        .record_cache = row->cache - row->cache / 3,
        .queries = row->limits.outstanding,
        .timeout_ms = row->limits.timeout_ms,
        .loopback = row->loopback,
        .private_addresses = row->private_addresses,
        .private_count = row->private_count,
        .private_names = row->private_names,
        .private_name_count = row->private_name_count,
    };
    struct buf fault = BUF_INIT;
    const char *where = NULL;
    const struct conf_at *outer = compile_enter(c, "resolver", 0);

    for (size_t i = 0; i < row->forward_count; i++) {
        if (row->forward[i].len && is_own(s, &row->forward[i])) {
            COMPLAIN(c, "forward", i, "%s is this server itself; expected another resolver",
                     row->forward[i].text);
        }
    }
    if (!c->failed && recursor_open(&plan, &where, &fault, &s->recursor)) {
        COMPLAIN(c, where, 0, "%.*s", SPAN_ARGS(buf_span(&fault)));
    }
    buf_fini(&fault);
    compile_leave(c, outer);
}

/* Only a remark: it may be intended, behind a firewall or for a test. */
void compile_check_open(struct compiler *c)
{
    const struct resolver_row *row = &c->settings->resolver;
    const struct conf_at *outer = compile_enter(c, "resolver", 0);
    char text[PREFIX_TEXT_MAX];

    for (size_t i = 0; conf_is_whole(c->at) && i < row->allow_count; i++) {
        const struct prefix *prefix = &row->allow[i];
        if (prefix->bits == 0 || (ip_is_v4(&prefix->ip) && prefix->bits == 96)) {
            conf_remark(c->at, "allow", i,
                        "an open resolver: with %s anybody may ask, and forge whom we answer",
                        prefix_text(prefix, text));
        }
    }
    compile_leave(c, outer);
}

void compile_resolver(struct compiler *c)
{
    struct settings *s = c->settings;

    if (s->resolver.allow_count == 0) {
        if (s->redirect_count && compile_is_whole(c, "resolver", 0)) {
            COMPLAIN(c, "redirect", 0,
                     "nobody may ask for names of others; expected clients under resolver.allow");
        } else if (s->redirect_count == 0 && s->zone_count == 0 && !c->failed) {
            COMPLAIN(c, NULL, 0,
                     "nothing to answer; expected zones or resolver.allow, in a file (--config) or "
                     "by --set");
        }
        return;
    }
    s->recursion = recursion_new(c->arena, s->resolver.allow, s->resolver.allow_count, s->replicas,
                                 s->replica_count);
    for (size_t i = 0; i < s->redirect_count; i++) {
        const struct conf_at *outer = compile_enter(c, "redirect", i);
        if (conf_is_whole(c->at)) {
            compile_redirect(c, &s->redirects[i]);
        }
        compile_leave(c, outer);
    }
    open_recursor(c);
}
