/*
 * The caching policy against its model, on random cases.
 *
 *     policy [--seed N|fresh] [--cases N]
 *
 * The seed is printed first; with it, everything happens again. Fails when the two disagree, and
 * when a verdict or a reason that random cases must reach was never reached.
 */
#include "base/check.h"
#include "cache/key.h"
#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FAILURES_MAX = 5, ENOUGH_CASES = 50000 };

/* How often what happened. */
struct counters {
    uint64_t lookup[REASON_COUNT], store[REASON_COUNT];
    uint64_t reuse[POLICY_VALIDATE + 1][REASON_COUNT];
    uint64_t source[LIFETIME_KNOWN + 1];
    uint64_t vary[VARY_MATCHES + 1];
    uint64_t on_error[2][2]; /* fresh or stale, forbidden or allowed */
    uint64_t clamped, clock_back;
};

/* One case as the code under test sees it. */
struct run {
    const struct policy_case *c;
    struct arena *arena;
    struct counters *counters;
    struct policy_settings settings;
    struct http_head storing, response, asking;
    struct freshness freshness;
    struct policy_request request;
    struct model_response model;
    struct model_control asked;
    int64_t step; /* -1 before the first */
    bool failed;
};

static const struct span targeted_names[] = {SPAN_INIT("Larder-Cache-Control"),
                                             SPAN_INIT("CDN-Cache-Control")};

/* ---- failures ---- */

static void fail(struct run *run, const char *what, const char *got, const char *want)
{
    printf("%s: %s, but the model says %s (%" PRId64 " s after the response)\n", what, got, want,
           run->step);
    run->failed = true;
}

static void expect_number(struct run *run, const char *what, int64_t got, int64_t want)
{
    char a[32], b[32];

    if (got != want) {
        snprintf(a, sizeof(a), "%" PRId64, got);
        snprintf(b, sizeof(b), "%" PRId64, want);
        fail(run, what, a, b);
    }
}

static const char *word(enum reason reason)
{
    static char text[64];

    snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(reason_word(reason)));
    return text;
}

/* `got` is one of `want`; `none` is what it is when there are none. */
static void expect_reason(struct run *run, const char *what, enum reason got, reasons want,
                          enum reason none)
{
    char words[512] = "";

    if (want ? want >> got & 1 : got == none) {
        return;
    }
    for (size_t i = 0; i < REASON_COUNT; i++) {
        if (want >> i & 1) {
            size_t len = strlen(words);
            snprintf(words + len, sizeof(words) - len, " %s", word((enum reason)i));
        }
    }
    fail(run, what, word(got), want ? words + 1 : "nothing speaks against it");
}

/* ---- the case, in the program's own types ---- */

static void read_lines(struct http_head *head, const struct message *m)
{
    for (size_t i = 0; i < m->count; i++) {
        fields_add(&head->fields, span_str(m->lines[i].name),
                   span_trim(span_str(m->lines[i].value)));
    }
}

static void read_request(struct run *run, struct http_head *head, const struct message *m)
{
    head_init(head, run->arena);
    head->method = http_method_id(span_str(m->method));
    head->method_text = span_str(m->method);
    head->framing = m->body ? BODY_LENGTH : BODY_NONE;
    head->content_length = m->body ? 3 : -1;
    read_lines(head, m);
}

static void run_init(struct run *run, const struct policy_case *c, struct arena *arena,
                     struct counters *counters)
{
    *run = (struct run){.c = c, .arena = arena, .counters = counters, .step = -1};
    run->settings = policy_defaults;
    run->settings.targeted = targeted_names;
    run->settings.targeted_count = c->targeted ? ARRAY_LEN(targeted_names) : 0;
    run->settings.ignore_client_control = c->ignore_client_control;
    run->settings.refuse_set_cookie = c->refuse_set_cookie;
    run->settings.stale_if_error = c->stale_if_error;
    read_request(run, &run->storing, &c->storing);
    read_request(run, &run->asking, &c->asking);
    head_init(&run->response, arena);
    run->response.status = c->response.status;
    read_lines(&run->response, &c->response);
}

/* ---- the properties ---- */

static void check_request(struct run *run)
{
    const struct model_control *asked = &run->asked;
    const struct cache_control *control = &run->request.control;

    policy_read_request(&run->asking, &run->settings, &run->request);
    model_read_request(run->c, &run->asked);
    expect_reason(run, "lookup", run->request.reason, model_lookup(&run->c->asking), REASON_NONE);
    expect_number(run, "may be looked up", run->request.lookup, model_lookup(&run->c->asking) == 0);
    expect_number(run, "request no-cache", control->no_cache, asked->no_cache);
    expect_number(run, "request no-store", control->no_store, asked->no_store);
    expect_number(run, "request only-if-cached", control->only_if_cached, asked->only_if_cached);
    expect_number(run, "request max-age", control->max_age, asked->max_age);
    expect_number(run, "request min-fresh", control->min_fresh, asked->min_fresh);
    run->counters->lookup[run->request.reason]++;
}

static void check_freshness(struct run *run)
{
    const struct freshness *f = &run->freshness;
    const struct model_response *m = &run->model;
    struct policy_times times = {.request = run->c->sent, .response = run->c->received};

    policy_freshness(&run->response, times, &run->settings, &run->freshness);
    model_read_response(run->c, &run->model);
    expect_number(run, "lifetime", f->lifetime, m->lifetime);
    expect_number(run, "source of the lifetime", f->source, m->source);
    expect_number(run, "initial age", f->initial_age, m->initial_age);
    expect_number(run, "no-cache", f->no_cache, m->control.no_cache);
    expect_number(run, "must be validated when stale", f->must_revalidate, m->never_stale);
    expect_number(run, "immutable", f->immutable, m->control.immutable);
    expect_number(run, "has a validator", f->has_validator, m->has_validator);
    expect_number(run, "stale-while-revalidate", f->stale_while_revalidate,
                  m->control.stale_while_revalidate);
    expect_number(run, "stale-if-error", f->stale_if_error, m->control.stale_if_error);
    expect_number(run, "shareable with credentials", f->shareable_with_authorization,
                  m->permits_authorization);
    run->counters->source[f->source]++;
    run->counters->clamped += f->lifetime == MODEL_LONG || f->initial_age == MODEL_LONG;
}

static void check_store(struct run *run)
{
    enum reason reason =
        policy_may_store(&run->storing, &run->response, &run->freshness, &run->settings);

    expect_reason(run, "storing", reason, model_store(run->c, &run->model), REASON_STORED);
    run->counters->store[reason]++;
}

static void check_vary(struct run *run)
{
    static const struct sip_key secret = {.k0 = 1, .k1 = 2};
    struct cache_key primary = {.text = SPAN(" http://a:80/")};
    struct cache_key stored, asked;
    enum model_vary want = model_match(run->c);
    enum model_vary got = VARY_NEVER;
    struct span spec;

    if (key_vary_spec(&run->response.fields, run->arena, &spec)) {
        got = VARY_MATCHES;
    }
    if (got == VARY_MATCHES && spec.len) {
        key_variant(&primary, spec, &run->storing.fields, &secret, run->arena, &stored);
        key_variant(&primary, spec, &run->asking.fields, &secret, run->arena, &asked);
        got = span_eq(stored.text, asked.text) ? VARY_MATCHES : VARY_DIFFERS;
        expect_number(run, "hashes are equal", memcmp(stored.hash, asked.hash, KEY_HASH_SIZE) == 0,
                      got == VARY_MATCHES);
    }
    expect_number(run, "Vary (0 never, 1 differs, 2 matches)", got, want);
    run->counters->vary[got]++;
}

static void check_reuse(struct run *run)
{
    int64_t now = run->c->received + run->step;
    enum reason reason;
    reasons why;
    enum policy_verdict verdict = policy_reuse(&run->request, &run->freshness, now, &reason);
    enum policy_verdict want = model_reuse(run->c, &run->model, &run->asked, run->step, &why);

    expect_number(run, "verdict (0 fresh, 1 stale now, 2 validate)", verdict, want);
    expect_reason(run, "reason of the verdict", reason, why, REASON_NONE);
    run->counters->reuse[verdict][reason]++;
}

static void check_step(struct run *run)
{
    int64_t now = run->c->received + run->step;
    int64_t age = policy_age(&run->freshness, now);
    bool stale = age >= run->freshness.lifetime;
    bool on_error = policy_stale_on_error(&run->request, &run->freshness, &run->settings, now);

    expect_number(run, "age", age, model_age(&run->model, run->step));
    check_reuse(run);
    expect_number(run, "used when the origin fails", on_error,
                  model_stale_on_error(run->c, &run->model, &run->asked, run->step));
    run->counters->on_error[stale][on_error]++;
    run->counters->clock_back += run->step < 0;
}

static bool check_case(const struct policy_case *c, struct arena *arena, struct counters *counters)
{
    struct run run;

    run_init(&run, c, arena, counters);
    check_request(&run);
    check_freshness(&run);
    check_store(&run);
    check_vary(&run);
    for (size_t i = 0; i < STEPS; i++) {
        run.step = c->steps[i];
        check_step(&run);
    }
    return !run.failed;
}

/* ---- what was reached ---- */

static bool reached(const char *what, const char *which, uint64_t count)
{
    printf("%-14s %-26s %9" PRIu64 "%s\n", what, which, count, count ? "" : "   NEVER REACHED");
    return count > 0;
}

static bool reached_all(const char *what, const uint64_t counts[REASON_COUNT],
                        const enum reason *expected, size_t count)
{
    bool good = true;

    for (size_t i = 0; i < count; i++) {
        good &= reached(what, word(expected[i]), counts[expected[i]]);
    }
    return good;
}

static bool reached_reasons(const struct counters *n)
{
    static const enum reason lookup[] = {REASON_NONE, REASON_METHOD, REASON_REQUEST_BODY,
                                         REASON_CONDITIONAL};
    static const enum reason store[] = {
        REASON_STORED,        REASON_METHOD,     REASON_REQUEST_BODY,    REASON_REQUEST_NO_STORE,
        REASON_STATUS,        REASON_PARTIAL,    REASON_CONDITIONAL,     REASON_RANGE,
        REASON_PRIVATE,       REASON_SET_COOKIE, REASON_MUST_UNDERSTAND, REASON_RESPONSE_NO_STORE,
        REASON_AUTHORIZATION, REASON_VARY_STAR,  REASON_NO_LIFETIME,
    };
    static const enum reason fresh[] = {REASON_FRESH, REASON_STALE_REQUEST};
    static const enum reason stale_now[] = {REASON_STALE_WHILE_REVALIDATE};
    static const enum reason validate[] = {
        REASON_STALE,
        REASON_MUST_REVALIDATE,
        REASON_NO_CACHE,
        REASON_AUTHORIZATION,
        REASON_REQUEST_NO_CACHE,
        REASON_REQUEST_MAX_AGE,
        REASON_REQUEST_MIN_FRESH,
    };

    bool good = reached_all("lookup", n->lookup, lookup, ARRAY_LEN(lookup));

    good &= reached_all("store", n->store, store, ARRAY_LEN(store));
    good &= reached_all("fresh", n->reuse[POLICY_FRESH], fresh, ARRAY_LEN(fresh));
    good &= reached_all("stale now", n->reuse[POLICY_STALE_NOW], stale_now, ARRAY_LEN(stale_now));
    good &= reached_all("validate", n->reuse[POLICY_VALIDATE], validate, ARRAY_LEN(validate));
    return good;
}

static bool reached_rest(const struct counters *n)
{
    static const char *const sources[] = {"none",    "targeted", "s-maxage",
                                          "max-age", "expires",  "heuristic"};
    static const char *const vary[] = {"never", "differs", "matches"};
    bool good = true;

    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        good &= reached("lifetime", sources[i], n->source[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(vary); i++) {
        good &= reached("vary", vary[i], n->vary[i]);
    }
    good &= reached("on error", "fresh, forbidden", n->on_error[0][0]);
    good &= reached("on error", "fresh, allowed", n->on_error[0][1]);
    good &= reached("on error", "stale, forbidden", n->on_error[1][0]);
    good &= reached("on error", "stale, allowed", n->on_error[1][1]);
    good &= reached("numbers", "clamped", n->clamped);
    good &= reached("clock", "went back", n->clock_back);
    return good;
}

/* ---- main ---- */

struct options {
    uint64_t seed, cases;
};

static struct options read_options(int argc, char **argv)
{
    struct options options = {.seed = 1, .cases = 100000};

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0) {
            bool fresh = strcmp(argv[i + 1], "fresh") == 0;
            options.seed = fresh ? (uint64_t)time(NULL) : strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--cases") == 0) {
            options.cases = strtoull(argv[i + 1], NULL, 10);
        }
    }
    return options;
}

static size_t run_cases(const struct options *options, struct counters *counters)
{
    static struct policy_case c;
    struct arena arena;
    size_t failures = 0;

    arena_init(&arena, NULL, 0);
    for (uint64_t i = 0; i < options->cases && failures < FAILURES_MAX; i++) {
        case_make(&c, options->seed * UINT64_C(0x100000001b3) + i);
        if (!check_case(&c, &arena, counters)) {
            printf("  case %" PRIu64 " of seed %" PRIu64 "; again: --seed %" PRIu64
                   " --cases %" PRIu64 "\n",
                   i, options->seed, options->seed, i + 1);
            case_print(&c);
            failures++;
        }
        arena_reset(&arena);
    }
    arena_fini(&arena);
    return failures;
}

int main(int argc, char **argv)
{
    static struct counters counters;
    struct options options = read_options(argc, argv);

    printf("seed %" PRIu64 ", %" PRIu64 " cases\n", options.seed, options.cases);
    fflush(stdout);
    size_t failures = run_cases(&options, &counters);
    if (failures) {
        printf("%zu cases failed\n", failures);
        return 1;
    }
    bool good = reached_reasons(&counters);
    good &= reached_rest(&counters);
    return good || options.cases < ENOUGH_CASES ? 0 : 1;
}
