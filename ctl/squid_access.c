/*
 * http_access. Squid tries its rules in order; all conditions of a rule must match; and a request
 * that no rule matches gets the opposite of the last rule. Larder's rules are the same, except that
 * a request without a match is denied, and that "!" is an exception.
 *
 * A rule that allows and cannot be translated is omitted, so it lets nobody in. A rule that denies
 * and cannot be translated would let clients in that must stay out, so it is reported specially. A
 * rule that can be translated in part is translated so that it errs by denying.
 */
#include "ctl/squid.h"

#include "base/conf.h"

enum { ACCESS_MAX = 8 << 20 }; /* bytes of rules */

static const char *const part_names[SQUID_KINDS] = {
    [SQUID_IS_FROM] = "from",       [SQUID_IS_HOSTS] = "hosts", [SQUID_IS_PORTS] = "ports",
    [SQUID_IS_METHODS] = "methods", [SQUID_IS_USERS] = "users", [SQUID_IS_HOURS] = "hours"};

/* ---- predefined conditions ---- */

/* A condition that is not defined by an acl line. */
static bool built_in(struct span name, struct squid_part *part, bool *everything)
{
    *everything = span_eq(name, SPAN("all"));
    *part = (struct squid_part){.kind = SQUID_IS_FROM, .used = true};
    if (span_eq(name, SPAN("localhost"))) {
        part->items = SPAN("127.0.0.1\0::1\0");
        return true;
    }
    if (span_eq(name, SPAN("CONNECT"))) {
        part->kind = SQUID_IS_METHODS;
        part->items = SPAN("CONNECT\0");
        return true;
    }
    /* these match only pages of Squid itself, which no client of Larder requests */
    return *everything || span_eq(name, SPAN("manager"));
}

/* Is it something that Larder refuses whatever the rules say, unless allow-targets permits it? */
static bool is_refused_anyway(struct span name)
{
    return span_eq(name, SPAN("to_localhost")) || span_eq(name, SPAN("to_linklocal"));
}

/* ---- one rule from its conditions ---- */

static void add_part(struct squid *squid, struct squid_built *built, const struct squid_part *part,
                     struct span name)
{
    struct squid_part *mine = &built->parts[part->kind];

    if (!mine->used) {
        *mine = *part;
    } else if (!squid_intersect(squid, mine, part)) {
        built->why = arena_printf(&squid->arena,
                                  "two conditions about %s at once, of which one is "
                                  "%.*s",
                                  part_names[part->kind], SPAN_ARGS(name));
        return;
    }
    built->never |= mine->items.len == 0 && mine->files.len == 0;
}

bool squid_same_part(const struct squid_part *a, const struct squid_part *b)
{
    return a->kind == b->kind && a->used == b->used && span_eq(a->items, b->items) &&
           span_eq(a->files, b->files);
}

static bool is_excepted(const struct squid_built *built, const struct squid_part *part)
{
    for (size_t i = 0; i < built->except_count; i++) {
        if (squid_same_part(&built->except[i], part)) {
            return true;
        }
    }
    return false;
}

static void add_exception(struct squid *squid, struct squid_built *built,
                          const struct squid_part *part)
{
    if (part->items.len == 0 && part->files.len == 0) {
        return; /* the exception matches nothing */
    }
    if (is_excepted(built, part)) {
        return; /* it is an exception of this rule already */
    }
    if (built->except_count == SQUID_EXCEPTIONS_MAX) {
        built->why = SPAN("too many exceptions");
        return;
    }
    (void)squid;
    built->except[built->except_count++] = *part;
}

static void add_acl(struct squid *squid, struct squid_built *built, const struct squid_acl *acl,
                    bool negated)
{
    struct squid_part part = {.kind = acl->kind,
                              .used = true,
                              .items = buf_span(&acl->items),
                              .files = buf_span(&acl->files)};
    bool empty = part.items.len == 0 && part.files.len == 0;

    if (acl->why || (acl->partly && empty && !acl->everything)) {
        built->why = arena_printf(&squid->arena, "%.*s (%s, line %u) cannot be translated",
                                  SPAN_ARGS(acl->name), acl->file, acl->number);
        return;
    }
    built->fewer |= negated ? acl->wider : acl->partly && !acl->everything;
    built->more |= negated ? acl->partly && !acl->everything : acl->wider;
    if (acl->everything) {
        built->never |= negated;
    } else if (negated) {
        add_exception(squid, built, &part);
    } else {
        add_part(squid, built, &part, acl->name);
    }
}

static void add_name(struct squid *squid, struct squid_built *built, struct span word)
{
    bool negated = span_starts(word, SPAN("!")), everything;
    struct span name = span_skip(word, negated);
    const struct squid_acl *acl = squid_find_acl(squid, name);
    struct squid_part part;

    if (acl) {
        add_acl(squid, built, acl, negated);
    } else if (is_refused_anyway(name)) {
        built->kept |= !negated;
    } else if (!built_in(name, &part, &everything)) {
        built->why =
            arena_printf(&squid->arena, "there is no acl %.*s", SPAN_ARGS(span_take(name, 60)));
    } else if (everything) {
        built->never |= negated;
    } else if (negated) {
        add_exception(squid, built, &part);
    } else {
        add_part(squid, built, &part, name);
    }
}

/* Drops exceptions that have nothing in common with the rule. If one covers the whole rule, the
 * rule matches nothing. */
static void simplify(struct squid *squid, struct squid_built *built)
{
    size_t kept = 0;

    for (size_t i = 0; i < built->except_count; i++) {
        const struct squid_part *except = &built->except[i];
        const struct squid_part *part = &built->parts[except->kind];
        struct squid_part both = *part;
        if (part->used && squid_intersect(squid, &both, except)) {
            built->never |= span_eq(both.items, part->items) && part->files.len == 0;
            if (both.items.len == 0 && both.files.len == 0) {
                continue;
            }
        }
        built->except[kept++] = *except;
    }
    built->except_count = kept;
}

void squid_build(struct squid *squid, const struct squid_rule *rule, struct squid_built *built)
{
    if (rule->line.cut || rule->line.count <= rule->first) {
        built->why = SPAN("it has no names, or too many");
    }
    for (size_t i = rule->first; i < rule->line.count && built->why.len == 0; i++) {
        add_name(squid, built, rule->line.words[i]);
    }
    simplify(squid, built);
}

bool squid_is_all(struct squid *squid, const struct squid_rule *rule)
{
    struct squid_built built = {0};
    bool some = false;

    squid_build(squid, rule, &built);
    for (size_t i = 0; i < SQUID_KINDS; i++) {
        some |= built.parts[i].used;
    }
    return !some && built.except_count == 0 && !built.never && !built.kept && built.why.len == 0;
}

void squid_add_rule(struct squid *squid, struct squid_rules *rules, const struct squid_line *line,
                    size_t first, bool deny)
{
    if (rules->count == SQUID_RULES_MAX) {
        squid_lose(squid, line, "more than %d rules", SQUID_RULES_MAX);
        return;
    }
    struct squid_rule *rule = arena_zalloc(&squid->arena, sizeof(*rule));
    rule->line = squid_keep(squid, line);
    rule->first = first;
    rule->deny = deny;
    rules->last = rules->count ? rules->last : &rules->first;
    *rules->last = rule;
    rules->last = &rule->next;
    rules->count++;
}

/* ---- as YAML ---- */

static void put_list(struct buf *out, const char **comma, const char *name, struct span items)
{
    const char *more = "";

    if (items.len == 0) {
        return;
    }
    buf_printf(out, "%s%s: [", *comma, name);
    while (items.len) {
        struct span item = span_cut(&items, '\0');
        buf_printf(out, "%s", more);
        conf_quote(out, item);
        more = ", ";
    }
    buf_printf(out, "]");
    *comma = ", ";
}

static void put_part(struct buf *out, const char **comma, const struct squid_part *part)
{
    put_list(out, comma, part_names[part->kind], part->items);
    put_list(out, comma, "host-files", part->files);
}

static void put_exceptions(struct buf *out, const char **comma, const struct squid_built *built)
{
    if (built->except_count == 0) {
        return;
    }
    buf_printf(out, "%sexcept: [", *comma);
    for (size_t i = 0; i < built->except_count; i++) {
        const struct squid_part *part = &built->except[i];
        /* Host names and lists of hosts are one condition, of which any item may match. */
        const char *inner = "";
        buf_printf(out, "%s{", i ? ", " : "");
        put_part(out, &inner, part);
        buf_printf(out, "}");
    }
    buf_printf(out, "]");
    *comma = ", ";
}

void squid_put_rule(struct squid *squid, const struct squid_line *line, bool deny,
                    const struct squid_built *built, struct span rate)
{
    struct buf *out = &squid->access;
    const char *comma = "";

    if (buf_len(out) > ACCESS_MAX) {
        squid_lose(squid, line, "the rules are more than %d MiB", ACCESS_MAX >> 20);
        return;
    }
    buf_printf(out, "  - %s: {", deny ? "deny" : "allow");
    for (size_t i = 0; i < SQUID_KINDS; i++) {
        if (built->parts[i].used) {
            put_part(out, &comma, &built->parts[i]);
        }
    }
    put_exceptions(out, &comma, built);
    if (rate.len) {
        buf_printf(out, "%slimits: {rate: %.*s}", comma, SPAN_ARGS(rate));
    }
    buf_printf(out, "}");
    squid_origin(line, out);
}

/* ---- notes ---- */

static void lose_rule(struct squid *squid, const struct squid_rule *rule, struct span why)
{
    squid_lose(squid, &rule->line, "%.*s: %s", SPAN_ARGS(why),
               rule->deny ? "LOOK AT THIS: without this deny rule, clients may get in that Squid "
                            "kept out; write it by hand (access)"
                          : "the clients that it allows are denied; write it by hand (access)");
    buf_printf(&squid->access, "  # not translated: %.*s",
               SPAN_ARGS(span_take(rule->line.raw, 200)));
    squid_origin(&rule->line, &squid->access);
}

/* Notes that a rule matches less or more than Squid's, in which case it errs by denying. */
static void tell_differences(struct squid *squid, const struct squid_rule *rule,
                             const struct squid_built *built)
{
    if (built->fewer) {
        squid_lose(squid, &rule->line, "only partly (see its ACLs above)%s",
                   rule->deny ? ": LOOK AT THIS: what is missing is not denied" : "");
    }
    if (built->more) {
        squid_remark(squid, &rule->line,
                     "it denies more than in Squid: whole hosts, also in tunnels");
    }
}

/* ---- the rules ---- */

/* "deny CONNECT !SSL_ports" before any rule that allows corresponds to connect-ports. */
static bool is_about_tunnels(const struct squid_rule *rule, const struct squid_built *built)
{
    const struct squid_part *methods = &built->parts[SQUID_IS_METHODS];
    unsigned used = 0;

    for (size_t i = 0; i < SQUID_KINDS; i++) {
        used += built->parts[i].used;
    }
    return rule->deny && used == 1 && methods->used && span_eq(methods->items, SPAN("CONNECT\0")) &&
           built->except_count == 1 && built->except[0].kind == SQUID_IS_PORTS && !built->fewer &&
           !built->more && !built->kept && !built->never;
}

static void set_tunnels(struct squid *squid, const struct squid_line *line, struct span ports)
{
    struct buf list = BUF_INIT;

    while (ports.len) {
        struct span port = span_cut(&ports, '\0');
        buf_printf(&list, "%s%.*s", buf_len(&list) ? ", " : "[", SPAN_ARGS(port));
    }
    buf_printf(&list, "]");
    squid_set(squid, line, SQUID_CONNECT_PORTS, buf_span(&list));
    buf_fini(&list);
}

static void put_understood(struct squid *squid, const struct squid_rule *rule,
                           const struct squid_built *built)
{
    tell_differences(squid, rule, built);
    if (rule->deny) {
        squid_put_rule(squid, &rule->line, true, built, SPAN_EMPTY);
    } else {
        squid_put_paced(squid, rule, built);
    }
}

/* False: the rule denies and could not be translated completely. */
static bool translate(struct squid *squid, const struct squid_rule *rule, bool *allowed)
{
    struct squid_built built = {0};

    squid_build(squid, rule, &built);
    if (built.why.len == 0 && built.parts[SQUID_IS_USERS].used &&
        squid->values[SQUID_USERS].text.len == 0) {
        built.why = SPAN("it needs users, and no htpasswd file is known (auth_param)");
    }
    if (built.why.len == 0 && built.more && !rule->deny) {
        built.why = SPAN("Larder's would let in more clients (see its ACLs above)");
    }
    if (built.why.len == 0 && built.kept && !rule->deny) {
        built.why = SPAN("see allow-targets");
    }
    if (built.why.len) {
        lose_rule(squid, rule, built.why);
        *allowed |= !rule->deny;
        return !rule->deny;
    }
    if (built.kept) {
        squid_remark(squid, &rule->line, "always the case, except for allow-targets");
    } else if (built.never) {
        squid_remark(squid, &rule->line, "not needed: it does not apply to Larder");
    } else if (!*allowed && is_about_tunnels(rule, &built) &&
               squid->values[SQUID_CONNECT_PORTS].text.len == 0) {
        set_tunnels(squid, &rule->line, built.except[0].items);
    } else {
        *allowed |= !rule->deny;
        put_understood(squid, rule, &built);
    }
    return !(rule->deny && built.fewer);
}

/* Adds the default: requests that no rule matches get the opposite of the last rule. */
static void put_end(struct squid *squid, const struct squid_rule *last, bool complete)
{
    if (!last->deny || squid_is_all(squid, last)) {
        return;
    }
    if (!complete) {
        squid_lose(
            squid, &last->line,
            "the last rule denies, so Squid allows what no rule matches; Larder does not, as "
            "not all deny rules are here");
        return;
    }
    squid_remark(squid, &last->line,
                 "the last rule denies, so Squid allows what no rule matches; "
                 "the last rule here does the same. Is that intended?");
    buf_printf(&squid->access, "  - allow: {}  # the end: the last http_access of Squid denies\n");
}

void squid_http_access(struct squid *squid, const struct squid_line *line)
{
    struct span what = squid_word(line, 1);
    bool deny = span_eq(what, SPAN("deny"));

    if (!deny && !span_eq(what, SPAN("allow"))) {
        squid_lose(squid, line, "neither allow nor deny");
        return;
    }
    squid_add_rule(squid, &squid->rules, line, 2, deny);
}

void squid_access_end(struct squid *squid)
{
    const struct squid_rule *last = NULL;
    bool allowed = false, complete = true;

    for (const struct squid_rule *rule = squid->rules.first; rule; rule = rule->next) {
        complete &= translate(squid, rule, &allowed);
        last = rule;
    }
    if (!last) {
        buf_printf(squid->notes,
                   "%s: no http_access: Squid denies everybody then, and so does "
                   "this file\n",
                   squid->name);
        return;
    }
    put_end(squid, last, complete);
    if (squid->values[SQUID_CONNECT_PORTS].text.len == 0) {
        squid_remark(squid, &last->line,
                     "no Squid rule restricts the ports of CONNECT before another "
                     "one allows it, so connect-ports is all ports");
        squid_set(squid, &last->line, SQUID_CONNECT_PORTS, SPAN("[1-65535]"));
    }
}
