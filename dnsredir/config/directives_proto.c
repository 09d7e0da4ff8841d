#include "dnsredir/config/directives_proto.h"

#include "base/err.h"
#include "dnsredir/message/proto.h"

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

/* A missing secret is no error: the server makes one when it starts. */
static void check_cookies(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct settings *s = bound;
    struct cookie_secrets *out = &s->identity.cookies;

    if (s->cookies.secret_count > COOKIE_SECRETS_MAX) {
        conf_complain(at, "secrets", COOKIE_SECRETS_MAX, "one too many; expected at most %d",
                      COOKIE_SECRETS_MAX);
        return;
    }
    for (size_t i = 0; i < s->cookies.secret_count && s->cookies.mode != COOKIES_OFF; i++) {
        out->keys[out->count++] = s->cookies.secrets[i];
    }
    s->identity.cookies_required = s->cookies.mode == COOKIES_REQUIRED;
}

static const char *const cookie_mode_words[] = {"off", "on", "required", NULL};

/* clang-format off */
static const struct conf_directive cookies_directives[] = {
    {"mode", CONF_ENUM(cookie_mode_words), FIELD(cookies.mode), "on", NULL, NULL, CONF_RELOAD,
     "Whether cookies are sent to clients that use them, and verified. required: BADCOOKIE is the "
     "answer to those that use them over UDP and have no valid one."},
    {"secrets", CONF_CUSTOM(secret),
     CONF_LIST(struct settings, cookies.secrets, cookies.secret_count),
     NULL, NULL, NULL, CONF_RELOAD | CONF_SECRET,
     "Server secrets (RFC 9018), the same on all servers that share an address. The first makes "
     "cookies; up to 3 more are accepted, such as the previous or next one. Default: one, random "
     "at each start. Protect the file."},
    {0},
};
const struct conf_table cookies_table = {
    .rows = cookies_directives, .shorthand = "mode", .finish = check_cookies};
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

/* ---- identity of the server ---- */

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

void compile_identity(struct settings *settings, struct arena *arena)
{
    struct identity *identity = &settings->identity;

    identity->nsid = span_str(settings->identity_text);
    identity->host = chaos_set(arena, settings->identity_text);
    identity->version = chaos_set(arena, settings->version_text);
}

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
