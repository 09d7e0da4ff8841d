/*
 * Validation of several stored responses against a model: what is asked of the origin, and what its
 * 304 confirms (RFC 9111 4, 4.3.1, 4.3.4).
 *
 *     validate [--seed N|fresh] [--cases N]
 *
 * The seed is printed first; with it, everything happens again. Fails when the two disagree, and
 * when a rule was never reached.
 */
#include "base/check.h"
#include "generate.h"
#include "model.h"
#include "option.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FAILURES_MAX = 5, ENOUGH_CASES = 50000, NOW = 1800000000 };

/* Stored responses, each received a second after the one before, and a 304. */
struct stored_case {
    size_t count;
    struct message stored[POLICY_STORED_MAX];
    bool selected[POLICY_STORED_MAX];
    struct message answer;
};

/* The rules of 4.3.4, and what they confirmed. */
enum rule { RULE_STRONG, RULE_WEAK, RULE_NONE, RULES };

struct counters {
    uint64_t confirmed[RULES], refused[RULES], other_variant[RULES], several;
};

/* ---- random cases ---- */

static void add_validators(struct generator *g, struct message *m)
{
    static const char *const tags[] = {"\"a\"", "\"b\"", "W/\"a\"", "W/\"b\"", "a", "\"a", ""};
    static const char *const dates[] = {"Fri, 15 Jan 2027 07:00:00 GMT",
                                        "Fri, 15 Jan 2027 07:59:30 GMT",
                                        "Fri, 15 Jan 2027 07:58:59 GMT", "yesterday"};

    if (gen_chance(g, 65)) {
        gen_add(g, m, "ETag", "%s", PICK(g, tags));
    }
    if (gen_chance(g, 45)) {
        gen_add(g, m, "Last-Modified", "%s", PICK(g, dates));
    }
}

static void stored_case_make(struct stored_case *out, uint64_t seed)
{
    static const char *const dates[] = {"Fri, 15 Jan 2027 08:00:00 GMT",
                                        "Fri, 15 Jan 2027 07:59:59 GMT",
                                        "Fri, 15 Jan 2027 08:00:03 GMT", "now"};
    struct generator g = {.state = seed};

    memset(out, 0, sizeof(*out));
    out->count = gen_below(&g, gen_chance(&g, 60) ? 4 : POLICY_STORED_MAX + 1);
    for (size_t i = 0; i < out->count; i++) {
        add_validators(&g, &out->stored[i]);
        if (gen_chance(&g, 85)) {
            gen_add(&g, &out->stored[i], "Date", "%s", PICK(&g, dates));
        }
        out->selected[i] = gen_chance(&g, 60);
    }
    add_validators(&g, &out->answer);
}

static void print_message(const char *what, const struct message *m)
{
    printf("  %s\n", what);
    for (size_t i = 0; i < m->count; i++) {
        printf("    %s: %s\n", m->lines[i].name, m->lines[i].value);
    }
}

static void stored_case_print(const struct stored_case *c)
{
    for (size_t i = 0; i < c->count; i++) {
        print_message(c->selected[i] ? "stored, selected" : "stored", &c->stored[i]);
    }
    print_message("304", &c->answer);
}

/* ---- the model ---- */

/* A valid entity-tag, or NULL. */
static const char *tag_of(const struct message *m)
{
    const char *tag = text_line(m, "ETag", 0);

    return tag && text_is_etag(tag) ? tag : NULL;
}

static const char *opaque_of(const char *tag)
{
    return *tag == 'W' ? tag + 2 : tag;
}

static bool same_date(const struct message *a, const struct message *b)
{
    const char *x = text_line(a, "Last-Modified", 0);
    const char *y = text_line(b, "Last-Modified", 0);

    return x && y && strcmp(x, y) == 0;
}

static int64_t dated(const struct stored_case *c, size_t i)
{
    const char *date = text_line(&c->stored[i], "Date", 0);
    int64_t when = date ? text_date(date, NOW) : -1;

    return when >= 0 ? when : NOW + (int64_t)i;
}

/* RFC 9110 8.8.2.2: a minute between the change and Date. */
static bool date_is_strong(const struct stored_case *c, size_t i)
{
    const char *modified = text_line(&c->stored[i], "Last-Modified", 0);
    const char *date = text_line(&c->stored[i], "Date", 0);
    int64_t changed = modified ? text_date(modified, NOW) : -1;
    int64_t sent = date ? text_date(date, NOW) : -1;

    return changed >= 0 && sent >= 0 && sent - changed >= 60;
}

static enum rule rule_of(const struct message *answer)
{
    const char *tag = tag_of(answer);

    if (tag && *tag != 'W') {
        return RULE_STRONG;
    }
    return tag || text_line(answer, "Last-Modified", 0) ? RULE_WEAK : RULE_NONE;
}

static bool is_named(const struct stored_case *c, size_t i)
{
    const char *ours = tag_of(&c->stored[i]);
    const char *theirs = tag_of(&c->answer);

    if (!c->selected[i]) { /* RFC 9110 8.8.1: codings may share what is weak */
        return ours && theirs && *theirs != 'W' && strcmp(ours, theirs) == 0;
    }
    switch (rule_of(&c->answer)) {
    case RULE_STRONG: /* ours may be the same, made weak: then the date decides */
        if (ours && strcmp(ours, theirs) == 0) {
            return true;
        }
        return (!ours || strcmp(opaque_of(ours), theirs) == 0) && date_is_strong(c, i) &&
               same_date(&c->stored[i], &c->answer);
    case RULE_WEAK:
        return ours && theirs ? strcmp(opaque_of(ours), opaque_of(theirs)) == 0
                              : same_date(&c->stored[i], &c->answer);
    case RULE_NONE:
    case RULES:
        break;
    }
    return c->count == 1;
}

/* The last of those with the latest date among what `is_in` accepts; -1: none. */
static int latest(const struct stored_case *c, bool selected_only, bool named_only)
{
    int best = -1;

    for (size_t i = 0; i < c->count; i++) {
        bool in = (!selected_only || c->selected[i]) && (!named_only || is_named(c, i));
        if (in && (best < 0 || dated(c, i) >= dated(c, (size_t)best))) {
            best = (int)i;
        }
    }
    return best;
}

static unsigned updates(const struct stored_case *c)
{
    int newest = latest(c, true, true);
    unsigned set = 0;

    for (size_t i = 0; i < c->count; i++) {
        bool all = rule_of(&c->answer) == RULE_STRONG;
        if (c->selected[i] && is_named(c, i) && (all || (int)i == newest)) {
            set |= 1U << i;
        }
    }
    return set;
}

/* Of what is not selected no weak one. */
static const char *offered(const struct stored_case *c, size_t i)
{
    const char *tag = tag_of(&c->stored[i]);

    return tag && *tag == 'W' && !c->selected[i] ? NULL : tag;
}

/* The If-None-Match that is to be sent; empty: none. */
static void tags_to_send(const struct stored_case *c, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < c->count; i++) {
        const char *tag = offered(c, i);
        bool again = false;
        for (size_t j = 0; tag && j < i; j++) {
            const char *before = offered(c, j);
            again |= before && strcmp(before, tag) == 0;
        }
        if (tag && !again) {
            size_t len = strlen(out);
            snprintf(out + len, size - len, "%s%s", len ? ", " : "", tag);
        }
    }
}

/* ---- both ---- */

static void read_head(struct http_head *head, const struct message *m, struct arena *arena)
{
    head_init(head, arena);
    for (size_t i = 0; i < m->count; i++) {
        fields_add(&head->fields, span_str(m->lines[i].name), span_str(m->lines[i].value));
    }
}

static bool is_text(const char *what, struct span got, const char *want)
{
    bool same = span_eq(got, span_str(want));

    if (!same) {
        printf("%s: \"%.*s\", but the model says \"%s\"\n", what, SPAN_ARGS(got), want);
    }
    return same;
}

static bool is_number(const char *what, int64_t got, int64_t want)
{
    if (got != want) {
        printf("%s: %" PRId64 ", but the model says %" PRId64 "\n", what, got, want);
    }
    return got == want;
}

static bool check_request(const struct stored_case *c, const struct policy_stored *stored,
                          struct arena *arena)
{
    int chosen = latest(c, true, false);
    const char *modified = chosen < 0 ? NULL : text_line(&c->stored[chosen], "Last-Modified", 0);
    char tags[VALUE_MAX];
    struct http_fields request;

    fields_init(&request, arena, 4);
    fields_add_id(&request, FIELD_IF_NONE_MATCH, SPAN("\"the client's\""));
    fields_add_id(&request, FIELD_IF_MODIFIED_SINCE, SPAN("then"));
    policy_make_conditional_any(&request, stored, c->count, arena);
    tags_to_send(c, tags, sizeof(tags));
    return is_number("answers by itself", policy_choose(stored, c->count), chosen) &&
           is_text("If-None-Match", fields_get(&request, FIELD_IF_NONE_MATCH), tags) &&
           is_text("If-Modified-Since", fields_get(&request, FIELD_IF_MODIFIED_SINCE),
                   modified ? modified : "");
}

static bool check_answer(const struct stored_case *c, const struct policy_stored *stored,
                         const struct http_head *answer, struct counters *n)
{
    struct policy_confirmed got = policy_304_confirms(stored, c->count, &answer->fields);
    int selected = latest(c, true, true);
    int want = selected >= 0 ? selected : latest(c, false, true);
    enum rule rule = rule_of(&c->answer);

    n->confirmed[rule] += got.use >= 0 && got.update != 0;
    n->other_variant[rule] += got.use >= 0 && got.update == 0;
    n->refused[rule] += got.use < 0;
    n->several += (got.update & (got.update - 1)) != 0;
    return is_number("answers the request", got.use, want) &&
           is_number("updated (bits)", got.update, updates(c));
}

static bool check_case(const struct stored_case *c, struct arena *arena, struct counters *n)
{
    struct policy_stored stored[POLICY_STORED_MAX];
    struct http_head heads[POLICY_STORED_MAX], answer;
    struct freshness freshness[POLICY_STORED_MAX];

    for (size_t i = 0; i < c->count; i++) {
        read_head(&heads[i], &c->stored[i], arena);
        freshness[i] = (struct freshness){.response_time = NOW + (int64_t)i};
        stored[i] = (struct policy_stored){&heads[i].fields, &freshness[i], c->selected[i]};
    }
    read_head(&answer, &c->answer, arena);
    return check_request(c, stored, arena) && check_answer(c, stored, &answer, n);
}

/* ---- main ---- */

static bool reached(const char *what, const char *rule, uint64_t count)
{
    printf("%-26s %-20s %9" PRIu64 "%s\n", what, rule, count, count ? "" : "   NEVER REACHED");
    return count > 0;
}

static bool reached_all(const struct counters *n)
{
    static const char *const rules[] = {"strong validator", "weak validator", "no validator"};
    bool good = reached("several are updated", rules[RULE_STRONG], n->several);

    for (size_t i = 0; i < RULES; i++) {
        good &= reached("confirmed", rules[i], n->confirmed[i]);
        good &= i != RULE_STRONG || reached("of another variant", rules[i], n->other_variant[i]);
        good &= reached("not believed", rules[i], n->refused[i]);
    }
    return good;
}

int main(int argc, char **argv)
{
    static struct stored_case c;
    uint64_t seed = option(argc, argv, "--seed", 1);
    uint64_t cases = option(argc, argv, "--cases", 100000);
    struct counters counters = {0};
    struct arena arena;
    size_t failures = 0;

    printf("seed %" PRIu64 ", %" PRIu64 " cases\n", seed, cases);
    fflush(stdout);
    arena_init(&arena, NULL, 0);
    for (uint64_t i = 0; i < cases && failures < FAILURES_MAX; i++) {
        stored_case_make(&c, seed * UINT64_C(0x100000001b3) + i);
        if (!check_case(&c, &arena, &counters)) {
            printf("  case %" PRIu64 " of seed %" PRIu64 "; again: --seed %" PRIu64
                   " --cases %" PRIu64 "\n",
                   i, seed, seed, i + 1);
            stored_case_print(&c);
            failures++;
        }
        arena_reset(&arena);
    }
    arena_fini(&arena);
    return failures || (!reached_all(&counters) && cases >= ENOUGH_CASES) ? 1 : 0;
}
