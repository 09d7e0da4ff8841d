#include "dnsredir/counters.h"

/* clang-format off */
static const char *const rcode_words[RCODE_COUNT] = {
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET",
    "NXRRSET", "NOTAUTH", "NOTZONE", "11", "12", "13", "14", "15", "BADVERS", "17", "18", "19",
    "20", "21", "22", "BADCOOKIE",
};

static const char *const signed_words[SIGNED_HOWS] = {
    [SIGNED_READY] = "ready", [SIGNED_CACHED] = "cached", [SIGNED_NEW] = "made",
    [SIGNED_REFUSED] = "refused",
};

#define ROW(name, kind, help) METRIC_ROW(struct counters, name, kind, help)
const struct metric counter_rows[] = {
    DNS_COUNTERS(ROW)
    {"answers", METRIC_COUNTER, offsetof(struct counters, rcodes), "Answers by their code",
     {{"rcode", rcode_words, RCODE_COUNT}, {NULL, NULL, 0}}},
    {"policy_answers", METRIC_COUNTER, offsetof(struct counters, policies),
     "Answers that a policy chose, by its kind",
     {{"policy", policy_words, POLICY_KINDS}, {NULL, NULL, 0}}},
    {"signatures", METRIC_COUNTER, offsetof(struct counters, signatures),
     "Signatures in answers: ready beforehand, cached, made for the answer; or refused",
     {{"how", signed_words, SIGNED_HOWS}, {NULL, NULL, 0}}},
    {"udp_batch_seconds", METRIC_HISTOGRAM, offsetof(struct counters, batch),
     "From reading a batch of UDP queries to having sent its answers",
     {{NULL, NULL, 0}, {NULL, NULL, 0}}},
    {0},
};
/* clang-format on */

const char *counters_rcode(unsigned rcode)
{
    return rcode_words[rcode < RCODE_COUNT ? rcode : RCODE_SERVFAIL];
}

/* Counts what few answers are: a branch costs less than to add nothing. */
static void count_if(metric_value *value, bool is)
{
    if (is) {
        metric_add(value, 1);
    }
}

void counters_note(struct counters *counters, const struct answer_note *note, size_t len)
{
    if (note->limited == LIMIT_DROP) {
        metric_add(&counters->limited_dropped, 1);
        return;
    }
    if (len == 0) {
        metric_add(&counters->dropped, 1);
        return;
    }
    metric_add(&counters->rcodes[note->rcode < RCODE_COUNT ? note->rcode : RCODE_SERVFAIL], 1);
    metric_add(&counters->edns_queries, note->edns);
    metric_add(&counters->ecs_queries, note->ecs);
    count_if(&counters->cookie_queries, note->cookie != COOKIE_NONE);
    count_if(&counters->cookies_good, note->cookie == COOKIE_GOOD);
    if (note->dnssec) {
        metric_add(&counters->dnssec_queries, 1);
        for (unsigned how = 0; how < SIGNED_HOWS; how++) {
            metric_add(&counters->signatures[how], note->signatures[how]);
        }
    }
    count_if(&counters->tsig_good, note->tsig == TSIG_GOOD);
    count_if(&counters->tsig_bad, note->tsig == TSIG_BAD);
    count_if(&counters->limited_slipped, note->limited == LIMIT_SLIP);
    count_if(&counters->truncated, note->truncated);
    if (note->policy) {
        metric_add(&counters->steered_answers, 1);
        metric_add(&counters->policies[note->policy->kind], 1);
        count_if(&counters->measured_answers, note->measured);
        count_if(&counters->explored_answers, note->explored);
        count_if(&counters->spilled_answers, note->spilled);
        count_if(&counters->full_answers, note->level == CHOICE_FULL);
        count_if(&counters->draining_answers, note->level == CHOICE_DRAINING);
        count_if(&counters->all_down_answers, note->level == CHOICE_DOWN);
    }
}
