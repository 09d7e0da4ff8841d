/*
 * model - what RFC 9111 says of a case, written as slowly and plainly as possible: every rule is
 * looked at, none depends on another having been looked at before. Of the code under test it knows
 * only the names of verdicts and reasons.
 *
 * Where several reasons hold at once the model gives all of them; the code may name any.
 */
#ifndef LARDER_TESTS_PROPERTY_MODEL_H
#define LARDER_TESTS_PROPERTY_MODEL_H

#include "cache/policy.h"
#include "case.h"

#define MODEL_LONG                                                                                 \
    (INT64_C(1) << 40) /* larger numbers are this one: simply long (RFC 9111 1.2.2) */

/* The directives of a request or a response; seconds are -1 when not given. */
struct model_control {
    bool no_store, no_cache, is_private, is_public, must_revalidate, proxy_revalidate;
    bool must_understand, immutable, only_if_cached;
    bool max_stale_any;
    int64_t max_age, s_maxage, min_fresh, max_stale, stale_while_revalidate, stale_if_error;
};

struct model_response {
    struct model_control control;
    bool targeted;
    enum lifetime_source source;
    int64_t lifetime;
    int64_t initial_age;
    bool has_validator;
    bool never_stale; /* must-revalidate, proxy-revalidate, s-maxage */
    bool permits_authorization;
};

typedef uint64_t reasons; /* bit REASON_x */
#define REASON_BIT(name) (UINT64_C(1) << REASON_##name)

void model_read_response(const struct policy_case *c, struct model_response *out);
void model_read_request(const struct policy_case *c, struct model_control *out);
/* Why the cache may not answer such a request at all; 0: it may. */
reasons model_lookup(const struct message *request);
/* What speaks against storing; 0: nothing. */
reasons model_store(const struct policy_case *c, const struct model_response *response);
int64_t model_age(const struct model_response *response, int64_t step);
/* The verdict and everything that may be named as its reason. */
enum policy_verdict model_reuse(const struct policy_case *c, const struct model_response *response,
                                const struct model_control *asked, int64_t step, reasons *why);
bool model_stale_on_error(const struct policy_case *c, const struct model_response *response,
                          const struct model_control *asked, int64_t step);

enum model_vary { VARY_NEVER, VARY_DIFFERS, VARY_MATCHES };
enum model_vary model_match(const struct policy_case *c);

/* ---- model_text.c: reading what is in a message ---- */

#define MEMBERS_MAX 64

struct members {
    size_t count;
    char at[MEMBERS_MAX][VALUE_MAX];
};

/* The value of the n-th line (from 0) with this name, or NULL. */
const char *text_line(const struct message *m, const char *name, size_t n);
/* The members of a list over all lines (RFC 9110 5.6.1), trimmed, without the empty ones. */
void text_members(const struct message *m, const char *name, struct members *out);
/* The same of one value. */
void text_split(const char *value, struct members *out);
/* Digits only, at least one (RFC 9111 1.2.2); -1 otherwise. */
int64_t text_seconds(const char *text);
/* RFC 9110 5.6.7; -1 when it is no date. */
int64_t text_date(const char *text, int64_t now);
bool text_is_etag(const char *text);
bool text_is_token(const char *text);
/* Cache-Control (RFC 9111 5.2). */
void text_control(const struct message *m, struct model_control *out);
/* A targeted field (RFC 9213); false when it counts for nothing. */
bool text_targeted(const struct message *m, const char *name, struct model_control *out);

#endif
