/*
 * delay_pools. The limit for all clients together becomes shares.total; the limit for one client
 * becomes a rate in the rules that allow it. Limits for networks (class 3) have no counterpart, nor
 * have the sizes of buckets: a client does not save up bytes while it is idle.
 */
#include "ctl/squid.h"

#include <inttypes.h>

enum { RATE_MIN = 1024, TOTAL_MIN = 10240 };

static struct squid_pool *pool_of(struct squid *squid, const struct squid_line *line)
{
    uint64_t number;

    if (!span_to_u64(squid_word(line, 1), SQUID_POOLS_MAX, &number) || number == 0 ||
        number > squid->pool_count) {
        squid_lose(squid, line, "no such pool; see delay_pools");
        return NULL;
    }
    return &squid->pools[number - 1];
}

static void set_class(struct squid *squid, const struct squid_line *line, struct squid_pool *pool)
{
    uint64_t class;

    if (!span_to_u64(squid_word(line, 2), 5, &class) || class == 0) {
        squid_lose(squid, line, "no class from 1 to 5");
        return;
    }
    pool->class = (unsigned)class;
}

static void add_access(struct squid *squid, const struct squid_line *line, struct squid_pool *pool)
{
    bool deny = span_eq(squid_word(line, 2), SPAN("deny"));

    if (!deny && !span_eq(squid_word(line, 2), SPAN("allow"))) {
        squid_lose(squid, line, "neither allow nor deny");
        return;
    }
    squid_add_rule(squid, &pool->access, line, 3, deny);
}

void squid_delay(struct squid *squid, const struct squid_line *line)
{
    struct span name = squid_word(line, 0);
    uint64_t count;

    if (span_eq(name, SPAN("delay_pools"))) {
        if (!span_to_u64(squid_word(line, 1), SQUID_POOLS_MAX, &count)) {
            squid_lose(squid, line, "at most %d pools", SQUID_POOLS_MAX);
            return;
        }
        squid->pool_count = count;
        return;
    }
    struct squid_pool *pool = pool_of(squid, line);
    if (!pool) {
        return;
    }
    if (span_eq(name, SPAN("delay_class"))) {
        set_class(squid, line, pool);
    } else if (span_eq(name, SPAN("delay_access"))) {
        add_access(squid, line, pool);
    } else {
        pool->parameters = squid_keep(squid, line);
    }
}

/* ---- the limits of a pool ---- */

/* What each parameter of a class limits. */
enum about { ALL, NETWORK, EACH, USER, TAG };
static const enum about classes[6][4] = {
    {0}, {ALL}, {ALL, EACH}, {ALL, NETWORK, EACH}, {ALL, NETWORK, EACH, USER}, {TAG}};
static const size_t counts[6] = {0, 1, 2, 3, 4, 1};

/* Parses "64000/64000", of which the first number is the rate in bytes per second. -1 and "none":
 * unlimited. */
static bool read_rate(struct span word, uint64_t *out, bool *unlimited)
{
    struct span rate = span_cut(&word, '/');

    *unlimited = span_eq(rate, SPAN("-1")) || span_eq(rate, SPAN("none"));
    return *unlimited || span_to_u64(rate, UINT64_C(1) << 40, out);
}

/* The rate in bytes per second of one kind of limit in a pool; 0: unlimited, or unknown. */
static uint64_t rate_about(const struct squid_pool *pool, enum about about)
{
    uint64_t rate = 0;
    bool unlimited;

    for (size_t i = 0; i < counts[pool->class]; i++) {
        if (classes[pool->class][i] == about &&
            read_rate(squid_word(&pool->parameters, 2 + i), &rate, &unlimited) && !unlimited) {
            return rate;
        }
    }
    return 0;
}

/* The rate in bytes per second for one client. */
static uint64_t pace_of(const struct squid_pool *pool)
{
    uint64_t user = rate_about(pool, USER), each = rate_about(pool, EACH);
    uint64_t pace = user ? user : each;

    return pace >= RATE_MIN ? pace : 0;
}

static bool is_for_all(struct squid *squid, const struct squid_pool *pool)
{
    const struct squid_rule *first = pool->access.first;
    return first && !first->deny && squid_is_all(squid, first);
}

static void end_total(struct squid *squid, size_t number)
{
    const struct squid_pool *pool = &squid->pools[number];
    const struct squid_line *line = &pool->parameters;
    uint64_t total = rate_about(pool, ALL);

    if (total == 0) {
        return;
    }
    if (number > 0 || !is_for_all(squid, pool)) {
        squid_lose(
            squid, line,
            "a rate shared by some clients: all clients together can have one (shares.total),"
            " or each client its own (limits.rate)");
    } else if (total < TOTAL_MIN) {
        squid_lose(squid, line, "less than %d bytes a second for all", TOTAL_MIN);
    } else {
        squid_set(squid, line, SQUID_TOTAL, arena_printf(&squid->arena, "%" PRIu64, total));
        squid_set(squid, line, SQUID_FREE_HITS, SPAN("yes")); /* as in Squid */
    }
}

static bool is_understood(const struct squid_pool *pool)
{
    uint64_t rate;
    bool unlimited, good = pool->parameters.count == 2 + counts[pool->class];

    for (size_t i = 0; good && i < counts[pool->class]; i++) {
        good = read_rate(squid_word(&pool->parameters, 2 + i), &rate, &unlimited);
    }
    return good;
}

/* Does the pool deny some requests? Squid passes them on to the next pool. */
static bool takes_back(struct squid *squid, const struct squid_pool *pool)
{
    for (const struct squid_rule *rule = pool->access.first; rule; rule = rule->next) {
        if (rule->deny && !squid_is_all(squid, rule)) {
            return true;
        }
    }
    return false;
}

/* Notes why a pool cannot be translated as it is written. True: there is a reason. */
static bool is_refused(struct squid *squid, size_t number)
{
    const struct squid_pool *pool = &squid->pools[number];
    const struct squid_line *line = &pool->parameters;

    if (pool->class == 0 || line->count == 0) {
        buf_printf(squid->notes, "%s: delay pool %zu has no %s\n", squid->name, number + 1,
                   pool->class ? "delay_parameters" : "delay_class");
    } else if (!is_understood(pool)) {
        squid_lose(squid, line, "a class %u has %zu parameters such as 64000/64000", pool->class,
                   counts[pool->class]);
    } else if (pool->access.count == 0) {
        squid_remark(squid, line, "no delay_access: nobody is in this pool");
    } else if (number + 1 < squid->pool_count && takes_back(squid, pool)) {
        squid_lose(squid, line, "its delay_access denies some to a pool behind it");
    } else {
        return false;
    }
    return true;
}

/* Notes that an earlier pool already takes all requests. True: one does. */
static bool is_shadowed(struct squid *squid, size_t number)
{
    for (size_t i = 0; i < number; i++) {
        if (squid->pools[i].class && is_for_all(squid, &squid->pools[i])) {
            squid_remark(squid, &squid->pools[number].parameters,
                         "nobody is in this pool, since everybody is in pool %zu", i + 1);
            return true;
        }
    }
    return false;
}

/* Notes rates of the pool that cannot be expressed. */
static void tell_rates(struct squid *squid, const struct squid_pool *pool)
{
    const struct squid_line *line = &pool->parameters;

    if (rate_about(pool, NETWORK) || rate_about(pool, TAG)) {
        squid_lose(squid, line, "there are no rates of networks and tags: only of each client");
    }
    if (rate_about(pool, USER) && rate_about(pool, EACH)) {
        squid_lose(squid, line, "each client has one rate; taken is that of users");
    }
    if ((rate_about(pool, EACH) || rate_about(pool, USER)) && pace_of(pool) == 0) {
        squid_lose(squid, line, "less than %d bytes a second for each", RATE_MIN);
    }
}

static void end_pool(struct squid *squid, size_t number)
{
    struct squid_pool *pool = &squid->pools[number];

    if (is_refused(squid, number) || is_shadowed(squid, number)) {
        pool->class = 0;
        return;
    }
    end_total(squid, number);
    tell_rates(squid, pool);
}

void squid_delay_end(struct squid *squid)
{
    for (size_t i = 0; i < squid->pool_count; i++) {
        end_pool(squid, i);
    }
}

/* ---- rules with rates ---- */

static struct span rate_text(struct squid *squid, const struct squid_pool *pool)
{
    uint64_t pace = pace_of(pool);
    return pace ? arena_printf(&squid->arena, "%" PRIu64, pace) : SPAN_EMPTY;
}

static bool same_built(const struct squid_built *a, const struct squid_built *b)
{
    bool same = a->except_count == b->except_count;

    for (size_t i = 0; same && i < SQUID_KINDS; i++) {
        same = squid_same_part(&a->parts[i], &b->parts[i]);
    }
    for (size_t i = 0; same && i < a->except_count; i++) {
        same = squid_same_part(&a->except[i], &b->except[i]);
    }
    return same;
}

/* Writes a rule for the requests that both rules match. A rule that cannot be expressed is noted
 * once. True: this covers the whole rule. */
static bool put_both(struct squid *squid, const struct squid_rule *rule,
                     const struct squid_built *built, const struct squid_rule *member,
                     struct span rate)
{
    struct squid_built both = *built;

    squid_build(squid, member, &both);
    if (both.why.len == 0 && both.parts[SQUID_IS_USERS].used &&
        !built->parts[SQUID_IS_USERS].used) {
        both.why = SPAN("clients would be asked for a login");
    }
    if (both.why.len || both.fewer != built->fewer || both.more != built->more) {
        squid_lose(squid, &member->line, "not for whom line %u lets in: %.*s", rule->line.number,
                   SPAN_ARGS(both.why.len ? both.why : SPAN("it cannot be translated completely")));
        return false;
    }
    if (both.never || both.kept) {
        return false;
    }
    squid_put_rule(squid, &rule->line, false, &both, rate);
    return same_built(built, &both);
}

/* Writes rules for the members of one pool. True: all of the rule being translated is covered. */
static bool put_members(struct squid *squid, const struct squid_rule *rule,
                        const struct squid_built *built, const struct squid_pool *pool)
{
    struct span rate = rate_text(squid, pool);
    bool deny = false;

    for (const struct squid_rule *member = pool->access.first; member; member = member->next) {
        deny = member->deny;
        if (squid_is_all(squid, member)) {
            if (!deny) {
                squid_put_rule(squid, &rule->line, false, built, rate);
            }
            return !deny;
        }
        if (put_both(squid, rule, built, member, deny ? SPAN_EMPTY : rate)) {
            return true;
        }
    }
    if (deny) { /* the default is the opposite of the last rule */
        squid_put_rule(squid, &rule->line, false, built, rate);
    }
    return deny;
}

/* Does this pool or a later one limit single clients? If not, members need no rules of their
 * own. */
static bool any_pace(const struct squid *squid, size_t from)
{
    for (size_t i = from; i < squid->pool_count; i++) {
        if (squid->pools[i].class && pace_of(&squid->pools[i])) {
            return true;
        }
    }
    return false;
}

void squid_put_paced(struct squid *squid, const struct squid_rule *rule,
                     const struct squid_built *built)
{
    for (size_t i = 0; i < squid->pool_count && any_pace(squid, i); i++) {
        if (squid->pools[i].class && put_members(squid, rule, built, &squid->pools[i])) {
            return;
        }
    }
    squid_put_rule(squid, &rule->line, false, built, SPAN_EMPTY);
}
