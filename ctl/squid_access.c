/*
 * acl and http_access. Rules of Squid are tried in order, all names of one must hold, and what none
 * is about gets the opposite of the last. Larder's are the same but for the end, which denies.
 *
 * A rule that allows and is not understood lets nobody in; one that denies and is not understood
 * would let somebody in who is to stay out, and is told apart.
 */
#include "ctl/squid.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/prefix.h"

enum { ACCESS_MAX = 8 << 20 }; /* bytes of rules */

/* ---- names ---- */

static struct squid_acl *find_acl(struct squid *squid, struct span name)
{
    struct squid_acl *acl = squid->acls;

    while (acl && !span_eq(acl->name, name)) {
        acl = acl->next;
    }
    return acl;
}

static struct squid_acl *new_acl(struct squid *squid, struct span name, struct span type)
{
    struct squid_acl *acl = arena_zalloc(&squid->arena, sizeof(*acl));

    acl->name = name;
    acl->type = type;
    acl->next = squid->acls;
    squid->acls = acl;
    squid->acl_count++;
    return acl;
}

static bool is_type(const struct squid_acl *acl, const char *type)
{
    return span_eq(acl->type, span_str(type));
}

void squid_acl(struct squid *squid, const struct squid_line *line)
{
    static const char *const known[] = {"src",       "port", "method", "proxy_auth", "dst",
                                        "dstdomain", "time", "myport", "localport",  "proto"};
    struct span name = squid_word(line, 1), type = squid_word(line, 2);
    struct squid_acl *acl = find_acl(squid, name);
    bool fits = false;

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        fits |= span_eq(type, span_str(known[i]));
    }
    if (line->count < 4) {
        squid_lose(squid, line, "a name, a type and values are expected");
        return;
    }
    if (acl && !span_eq(acl->type, type)) {
        squid_lose(squid, line, "the name is of another type already");
        return;
    }
    if (!acl && squid->acl_count == SQUID_ACLS_MAX) {
        squid_lose(squid, line, "more than %d names", SQUID_ACLS_MAX);
        return;
    }
    acl = acl ? acl : new_acl(squid, name, type);
    for (size_t i = 3; i < line->count; i++) {
        buf_append(&acl->values, line->words[i]);
        buf_append(&acl->values, SPAN("\0"));
    }
    if (!fits) {
        squid_lose(squid, line,
                   "conditions of this type do not exist; the rules that use it are "
                   "told below");
    }
}

void squid_access_fini(struct squid *squid)
{
    for (struct squid_acl *acl = squid->acls; acl; acl = acl->next) {
        buf_fini(&acl->values);
    }
}

static struct span next_value(struct span *rest)
{
    return span_cut(rest, '\0');
}

/* ---- conditions ---- */

/* "10.0.0.0/8", "10.0.0.0/255.0.0.0", "2001:db8::/32", "192.0.2.7". Else it is no prefix. */
static bool put_prefix(struct squid *squid, struct span value, struct buf *out)
{
    struct span mask = value;
    struct span address = span_cut(&mask, '/');
    struct prefix prefix;
    const char *what;
    struct ip bits;

    if (mask.len && span_find(mask, '.') < mask.len) {
        if (ip_parse(mask, &bits) != 0) {
            return false;
        }
        unsigned count = 0, i = 96;
        while (i < 128 && bits.at[i / 8] & (0x80 >> (i % 8))) {
            count++;
            i++;
        }
        for (; i < 128; i++) {
            if (bits.at[i / 8] & (0x80 >> (i % 8))) {
                return false; /* no network has such a mask */
            }
        }
        value = arena_printf(&squid->arena, "%.*s/%u", SPAN_ARGS(address), count);
    }
    if (prefix_parse(value, &prefix, &what) != 0) {
        return false;
    }
    buf_printf(out, "%s\"%.*s\"", buf_len(out) ? ", " : "", SPAN_ARGS(value));
    return true;
}

static uint32_t v4_of(const struct ip *ip)
{
    return (uint32_t)ip->at[12] << 24 | (uint32_t)ip->at[13] << 16 | (uint32_t)ip->at[14] << 8 |
           ip->at[15];
}

/* "10.0.0.1-10.0.0.9": as networks, of which each is as large as it can be. */
static bool put_range(struct span value, struct buf *out)
{
    struct span last = value;
    struct span first = span_cut(&last, '-');
    struct ip from, to;

    if (ip_parse(first, &from) != 0 || ip_parse(last, &to) != 0 || !ip_is_v4(&from) ||
        !ip_is_v4(&to)) {
        return false;
    }
    uint64_t at = v4_of(&from), end = v4_of(&to);
    while (at <= end) {
        unsigned bits = 32;
        while (bits > 0 && at % (1ull << (33 - bits)) == 0 &&
               at + (1ull << (33 - bits)) - 1 <= end) {
            bits--;
        }
        buf_printf(out, "%s\"%u.%u.%u.%u/%u\"", buf_len(out) ? ", " : "", (unsigned)(at >> 24),
                   (unsigned)(at >> 16 & 255), (unsigned)(at >> 8 & 255), (unsigned)(at & 255),
                   bits);
        at += 1ull << (32 - bits);
    }
    return true;
}

/* The networks of a name; false when it cannot be said so. *everybody: no restriction at all. */
static bool put_sources(struct squid *squid, struct span name, bool *everybody, struct buf *out)
{
    const struct squid_acl *acl = find_acl(squid, name);

    *everybody = span_eq(name, SPAN("all")) && !acl;
    if (*everybody) {
        return true;
    }
    if (span_eq(name, SPAN("localhost")) && !acl) {
        buf_printf(out, "%s\"127.0.0.0/8\", \"::1\"", buf_len(out) ? ", " : "");
        return true;
    }
    if (!acl || !is_type(acl, "src")) {
        return false;
    }
    struct span rest = buf_span(&acl->values);
    while (rest.len) {
        struct span value = next_value(&rest);
        if (span_eq(value, SPAN("all"))) {
            *everybody = true;
        } else if (!put_prefix(squid, value, out) && !put_range(value, out)) {
            return false;
        }
    }
    return true;
}

static bool is_port_of_tls(const struct squid_line *line)
{
    return line->count == 4 && span_eq(squid_word(line, 2), SPAN("CONNECT")) &&
           span_starts(squid_word(line, 3), SPAN("!"));
}

/* "deny CONNECT !SSL_ports" is what connect-ports says. */
static bool take_connect_ports(struct squid *squid, const struct squid_line *line)
{
    const struct squid_acl *acl = find_acl(squid, span_skip(squid_word(line, 3), 1));
    struct buf list = BUF_INIT;
    bool good = acl && is_type(acl, "port");

    for (struct span rest = good ? buf_span(&acl->values) : SPAN_EMPTY; rest.len;) {
        struct span value = next_value(&rest), last = value;
        uint64_t from, to;
        struct span first = span_cut(&last, '-');
        good = good && span_to_u64(first, UINT16_MAX, &from) && from > 0 &&
               (first.len == value.len || (span_to_u64(last, UINT16_MAX, &to) && to >= from));
        buf_printf(&list, "%s%.*s", buf_len(&list) ? ", " : "[", SPAN_ARGS(value));
    }
    if (good) {
        buf_printf(&list, "]");
        squid_set(squid, line, SQUID_CONNECT_PORTS, buf_span(&list));
    }
    buf_fini(&list);
    return good;
}

/* Rules that Larder keeps without being told. */
static const char *kept_anyway(const struct squid *squid, const struct squid_line *line)
{
    struct span first = squid_word(line, 2);
    bool deny = span_eq(squid_word(line, 1), SPAN("deny"));

    (void)squid;
    if (deny && line->count == 3 && span_eq(first, SPAN("!Safe_ports"))) {
        return "targets of any port but CONNECT's may be asked for; what is no HTTP gets no answer";
    }
    if (deny && line->count == 3 &&
        (span_eq(first, SPAN("to_localhost")) || span_eq(first, SPAN("to_linklocal")))) {
        return "so it is, unless allow-targets says otherwise";
    }
    if (squid_has(line, 2, "manager")) {
        return "the administrator has a door of their own (admin)";
    }
    return NULL;
}

/* ---- rules ---- */

static void lose_rule(struct squid *squid, const struct squid_line *line, bool deny)
{
    squid_lose(squid, line,
               deny ? "LOOK AT THIS: it denies, and without it somebody may be let in "
                      "who is to stay out; write it by hand (access)"
                    : "whom it lets in stays out; write it by hand (access)");
}

/* What a rule of ours can be about, a list each, of which one item has to hold. */
enum part { FROM, HOSTS, PORTS, METHODS, USERS, HOURS, PARTS };
static const char *const part_names[PARTS] = {"from",    "hosts", "ports",
                                              "methods", "users", "hours"};

struct rule {
    struct buf parts[PARTS];
    unsigned used[PARTS]; /* by so many names: only one can be said */
};

static void put_item(struct buf *out, const char *mark, struct span item)
{
    buf_printf(out, "%s\"%s%.*s\"", buf_len(out) ? ", " : "", mark, SPAN_ARGS(item));
}

/* Letters, digits and these. */
static bool is_made_of(struct span text, const char *others)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.at[i]);
        if (!((c >= 'a' && c <= 'z') || ascii_is_digit(c) || strchr(others, c))) {
            return false;
        }
    }
    return text.len > 0;
}

/* ".example.net" is the name and what is below it; without the dot the name alone. */
static bool put_host(struct span value, struct buf *out)
{
    bool below = span_starts(value, SPAN("."));
    struct span name = span_skip(value, below);

    put_item(out, below ? "" : "=", name);
    return is_made_of(name, ".-_") && name.at[0] != '-' && name.at[0] != '.';
}

static bool put_port(struct span value, struct buf *out)
{
    put_item(out, "", value);
    return is_made_of(value, "-") && ascii_is_digit(value.at[0]);
}

static bool put_method(struct span value, struct buf *out)
{
    put_item(out, "", value);
    return is_made_of(value, "-");
}

static bool put_user(struct span value, struct buf *out)
{
    put_item(out, "", span_eq(value, SPAN("REQUIRED")) ? SPAN("*") : value);
    return is_made_of(value, "._-@") && value.len < 256;
}

/* "MTWHF" and so on, as our days with the times behind them. */
static bool put_days(struct span letters, struct span times, struct buf *out)
{
    static const struct {
        char letter;
        const char *days;
    } days[] = {{'M', "mon"}, {'T', "tue"}, {'W', "wed"}, {'H', "thu"},
                {'F', "fri"}, {'A', "sat"}, {'S', "sun"}, {'D', "mon-fri"}};

    for (size_t i = 0; i < letters.len; i++) {
        size_t day = 0;
        while (day < ARRAY_LEN(days) && days[day].letter != letters.at[i]) {
            day++;
        }
        if (day == ARRAY_LEN(days)) {
            return false;
        }
        buf_printf(out, "%s\"%s%s%.*s\"", buf_len(out) ? ", " : "", days[day].days,
                   times.len ? " " : "", SPAN_ARGS(times));
    }
    return letters.len > 0;
}

/* Days, times, or both; the times of Squid's may lack a digit: then a person has to look. */
static bool put_hours(struct span values, struct buf *out)
{
    struct span first = next_value(&values), second = next_value(&values);
    bool is_time = first.len && ascii_is_digit(first.at[0]);
    struct span times = is_time ? first : second;

    if (values.len || (is_time && second.len) ||
        (times.len && (times.len != 11 || !is_made_of(times, ":-") || times.at[5] != '-'))) {
        return false;
    }
    if (is_time) {
        put_item(out, "", times);
        return true;
    }
    return put_days(first, times, out);
}

static bool put_values(struct rule *rule, enum part part, struct span values,
                       bool (*put)(struct span value, struct buf *out))
{
    bool good = true;

    rule->used[part]++;
    while (good && values.len) {
        good = put(next_value(&values), &rule->parts[part]);
    }
    return good;
}

/* One condition of a rule. */
static bool put_condition(struct squid *squid, struct span name, struct rule *rule)
{
    const struct squid_acl *acl = find_acl(squid, name);
    bool everybody;

    if (!acl && span_eq(name, SPAN("CONNECT"))) {
        rule->used[METHODS]++;
        return put_method(name, &rule->parts[METHODS]);
    }
    if (!acl || is_type(acl, "src")) {
        bool good = put_sources(squid, name, &everybody, &rule->parts[FROM]);
        rule->used[FROM] += good && !everybody;
        return good;
    }
    struct span values = buf_span(&acl->values);
    if (is_type(acl, "dstdomain")) {
        return put_values(rule, HOSTS, values, put_host);
    }
    if (is_type(acl, "port")) {
        return put_values(rule, PORTS, values, put_port);
    }
    if (is_type(acl, "method")) {
        return put_values(rule, METHODS, values, put_method);
    }
    if (is_type(acl, "proxy_auth")) {
        return squid->users.len && put_values(rule, USERS, values, put_user);
    }
    if (is_type(acl, "time")) {
        rule->used[HOURS]++;
        return put_hours(values, &rule->parts[HOURS]);
    }
    return false;
}

static void put_rule(struct squid *squid, const struct squid_line *line, bool deny,
                     const struct rule *rule)
{
    const char *comma = "";

    buf_printf(&squid->access, "  - %s: {", deny ? "deny" : "allow");
    squid->ends_in_all = true;
    for (size_t i = 0; i < PARTS; i++) {
        if (rule->used[i]) {
            buf_printf(&squid->access, "%s%s: [%.*s]", comma, part_names[i],
                       SPAN_ARGS(buf_span(&rule->parts[i])));
            squid->ends_in_all = false;
            comma = ", ";
        }
    }
    buf_printf(&squid->access, "}");
    squid_origin(squid, line, &squid->access);
    squid->last_denies = deny;
}

static bool translate_rule(struct squid *squid, const struct squid_line *line, bool deny)
{
    bool good = line->count > 2 && !line->cut && buf_len(&squid->access) < ACCESS_MAX;
    struct rule rule = {0};

    for (size_t i = 2; good && i < line->count; i++) {
        good = put_condition(squid, line->words[i], &rule);
    }
    for (size_t i = 0; i < PARTS; i++) {
        good = good && rule.used[i] <= 1;
    }
    if (good) {
        put_rule(squid, line, deny, &rule);
    }
    for (size_t i = 0; i < PARTS; i++) {
        buf_fini(&rule.parts[i]);
    }
    return good;
}

void squid_http_access(struct squid *squid, const struct squid_line *line)
{
    struct span what = squid_word(line, 1);
    bool deny = span_eq(what, SPAN("deny"));
    const char *kept = kept_anyway(squid, line);

    if (!deny && !span_eq(what, SPAN("allow"))) {
        squid_lose(squid, line, "neither allow nor deny");
        return;
    }
    squid->has_rules = true;
    squid->last_rule = line->number;
    squid->last_denies = deny;
    squid->ends_in_all = false;
    if (kept) {
        squid_remark(squid, line, "%s", kept);
    } else if (deny && is_port_of_tls(line) && take_connect_ports(squid, line)) {
        return;
    } else if (!translate_rule(squid, line, deny)) {
        lose_rule(squid, line, deny);
    }
}

void squid_access_end(struct squid *squid)
{
    struct squid_line line = {.number = squid->last_rule};

    if (squid->has_rules && squid->last_denies && !squid->ends_in_all) {
        squid_lose(
            squid, &line,
            "http_access ends in a rule that denies: Squid allows what no rule is about, and "
            "Larder does not");
    }
}
