#include "dnsredir/directives_proto.h"

#include "base/err.h"
#include "dnsredir/proto.h"

#define FIELD(member) CONF_FIELD(struct settings, member)

/* ---- cookies ---- */

static int parse_secret(struct span text, struct arena *arena, void *out, const char **what)
{
    return cookie_secret_parse(text, out);
}

static const struct conf_custom secret = {
    .expected = "32 hexadecimal digits, such as from openssl rand -hex 16",
    .size = sizeof(struct sip_key),
    .parse = parse_secret,
};

/* The first secret makes cookies. None: the server makes one when it starts. */
static void check_cookies(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct settings *s = bound;
    struct cookie_secrets *out = &s->identity.cookies;

    if (s->cookies.previous_count && !conf_given(at, "secret")) {
        conf_complain(at, "previous", 0,
                      "needs a secret that cookies are made with; expected the directive secret");
    } else if (s->cookies.previous_count >= COOKIE_SECRETS_MAX) {
        conf_complain(at, "previous", 0, "too many; expected at most %d", COOKIE_SECRETS_MAX - 1);
    } else if (s->cookies.enabled && conf_given(at, "secret")) {
        out->keys[out->count++] = s->cookies.secret;
        for (size_t i = 0; i < s->cookies.previous_count; i++) {
            out->keys[out->count++] = s->cookies.previous[i];
        }
    }
    s->identity.cookies_required = s->cookies.enabled && s->cookies.required;
}

/* clang-format off */
static const struct conf_directive cookies_directives[] = {
    {"enabled", CONF_BOOL, FIELD(cookies.enabled), "yes", NULL, NULL, CONF_RELOAD,
     "Send and verify DNS cookies (RFC 7873) with clients that use them."},
    {"secret", CONF_CUSTOM(secret), FIELD(cookies.secret), NULL, NULL, NULL,
     CONF_RELOAD | CONF_SECRET,
     "Server secret for cookies (RFC 9018): 32 hexadecimal digits, the same on all servers "
     "that share an address. Default: random at each start. Protect the file."},
    {"previous", CONF_CUSTOM(secret),
     CONF_LIST(struct settings, cookies.previous, cookies.previous_count),
     NULL, NULL, NULL, CONF_RELOAD | CONF_SECRET,
     "Other secrets accepted, such as the previous or next one; at most 3."},
    {"required", CONF_BOOL, FIELD(cookies.required), "no", NULL, NULL, CONF_RELOAD,
     "Answer BADCOOKIE to clients that send a cookie over UDP without a valid server cookie."},
    {0},
};
const struct conf_table cookies_table = {.rows = cookies_directives, .finish = check_cookies};
/* clang-format on */

/* ---- rate limits ---- */

/* clang-format off */
static const struct conf_directive rate_limit_directives[] = {
    {"responses-per-second", CONF_INT, FIELD(rates.responses), "1000", "0", "1000000", CONF_RELOAD,
     "UDP responses per name, client network (IPv4 /24, IPv6 /56) and worker; nonexistent "
     "names of a zone count as one. 0: unlimited."},
    {"errors-per-second", CONF_INT, FIELD(rates.errors), "100", "0", "1000000", CONF_RELOAD,
     "Error responses (REFUSED, FORMERR, NOTIMP and the like) per client network and worker. "
     "0: unlimited."},
    {"network-per-second", CONF_INT, FIELD(rates.network), "10000", "0", "1000000", CONF_RELOAD,
     "All UDP responses per client network and worker. 0: unlimited."},
    {"slip", CONF_INT, FIELD(rates.slip), "2", "0", "100", CONF_RELOAD,
     "One in this many limited responses is sent empty and truncated, so that a real client "
     "retries over TCP, or as BADCOOKIE if it uses cookies. 0: none."},
    {"exempt", CONF_PREFIX, CONF_LIST(struct settings, rates.exempt, rates.exempt_count),
     "[127.0.0.0/8, \"::1/128\"]", NULL, NULL, CONF_RELOAD, "Networks that are not limited."},
    {0},
};
const struct conf_table rate_limit_table = {.rows = rate_limit_directives};
/* clang-format on */

/* ---- what the server says about itself ---- */

/* One TXT record of class CHAOS with TTL 0 (RFC 4892 3); NULL without text. */
static struct rrset *chaos_set(struct arena *arena, const char *text)
{
    size_t len = text ? strlen(text) : 0;

    if (len == 0) {
        return NULL;
    }
    struct rrset *set = arena_zalloc(arena, sizeof(*set));
    set->type = TYPE_TXT;
    set->count = 1;
    set->len = (uint32_t)(RR_FIXED_LEN + 1 + len);
    set->wire = arena_zalloc(arena, set->len);
    struct wire_out out = wire_out_of(set->wire, set->len);
    wire_put_u16(&out, RR_OWNER);
    wire_put_u16(&out, TYPE_TXT);
    wire_put_u16(&out, CLASS_CH);
    wire_put_u32(&out, 0);
    wire_put_u16(&out, (uint16_t)(1 + len));
    wire_put_u8(&out, (uint8_t)len);
    wire_put_bytes(&out, text, len);
    return set;
}

static void check_chaos(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct settings *s = bound;

    s->identity.version = chaos_set(arena, s->chaos.version);
    s->identity.host = chaos_set(arena, s->chaos.host);
}

/* clang-format off */
static const struct conf_directive chaos_directives[] = {
    {"version", CONF_STRING, FIELD(chaos.version), NULL, "1", "255", CONF_RELOAD,
     "Answer to version.bind and version.server. Default: refused."},
    {"host", CONF_STRING, FIELD(chaos.host), NULL, "1", "255", CONF_RELOAD,
     "Answer to hostname.bind and id.server. Default: refused."},
    {0},
};
const struct conf_table chaos_table = {.rows = chaos_directives, .finish = check_chaos};
/* clang-format on */

/* ---- the query log ---- */

/* clang-format off */
static const struct conf_directive log_directives[] = {
    {"queries", CONF_PATH, FIELD(log.queries), NULL, NULL, NULL, 0,
     "File for queries as lines of JSON; - is standard error. Reopened on SIGUSR1."},
    {"sample", CONF_INT, FIELD(log.sample), "1", "1", "1000000", CONF_RELOAD,
     "Log one query in this many."},
    {0},
};
const struct conf_table log_table = {.rows = log_directives};
/* clang-format on */

void compile_identity(struct settings *settings)
{
    settings->identity.nsid = span_str(settings->nsid);
}
