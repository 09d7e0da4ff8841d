#include "proxy/toplist.h"

#include <criterion/criterion.h>

struct heard {
    const char *host;
    uint16_t port;
    const char *client;
    struct decision decision;
    uint64_t bytes;
};

static void hear(struct toplist *toplist, const struct heard *heard)
{
    struct uri uri = {.host = span_str(heard->host),
                      .port = heard->port,
                      .is_ipv6 = strchr(heard->host, ':') != NULL};
    struct ip client;

    cr_assert_eq(ip_parse(span_str(heard->client), &client), 0);
    toplist_add(toplist, &(struct toplist_request){.decision = &heard->decision,
                                                   .uri = &uri,
                                                   .client = &client,
                                                   .status = 200,
                                                   .bytes = heard->bytes,
                                                   .elapsed_us = 300,
                                                   .when = 1000});
}

static const struct decision hit = {.outcome = OUTCOME_HIT};
static const struct decision miss = {
    .outcome = OUTCOME_MISS, .forward = FORWARD_URI_MISS, .fwd_status = 200, .stored = true};
static const struct decision private_miss = {.outcome = OUTCOME_MISS,
                                             .forward = FORWARD_URI_MISS,
                                             .fwd_status = 200,
                                             .store_reason = REASON_PRIVATE};
static const struct decision tunnel = {.outcome = OUTCOME_TUNNEL};
static const struct decision unreached = {
    .outcome = OUTCOME_ERROR, .forward = FORWARD_URI_MISS, .reason = REASON_CONNECT};
static const struct decision denied = {.outcome = OUTCOME_DENIED, .reason = REASON_ACCESS};

static struct topk_rows read_rows(struct toplist *toplist, enum toplist_kind kind)
{
    struct topk_rows rows = {0};

    toplist_read(toplist, kind, &rows);
    topk_rows_merge(&rows, toplist_merge);
    return rows;
}

static const uint64_t *counts_of(const struct topk_rows *rows, struct span key)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (span_eq(topk_key(&rows->at[i]), key)) {
            return rows->at[i].counts;
        }
    }
    cr_assert_fail("no row %.*s", SPAN_ARGS(key));
    return NULL;
}

Test(toplist, hosts)
{
    struct toplist *toplist = toplist_new(900);

    hear(toplist, &(struct heard){"a.example", 80, "192.0.2.1", hit, 100});
    hear(toplist, &(struct heard){"a.example", 80, "192.0.2.2", miss, 1000});
    hear(toplist, &(struct heard){"a.example", 8080, "192.0.2.2", unreached, 10});
    hear(toplist, &(struct heard){"a.example", 80, "192.0.2.2", denied, 10});
    hear(toplist, &(struct heard){"", 0, "192.0.2.2", denied, 10});
    struct topk_rows rows = read_rows(toplist, TOPLIST_HOSTS);
    cr_expect_eq(rows.count, 0, "nobody sees it before it is published");
    toplist_publish(toplist, 1000);
    rows = read_rows(toplist, TOPLIST_HOSTS);
    cr_assert_eq(rows.count, 2);
    const uint64_t *at = counts_of(&rows, SPAN("a.example"));
    cr_expect_eq(at[TOPLIST_REQUESTS], 3);
    cr_expect_eq(at[TOPLIST_HITS], 1);
    cr_expect_eq(at[TOPLIST_BYTES], 1110);
    cr_expect_eq(at[TOPLIST_HIT_BYTES], 100);
    cr_expect_eq(at[TOPLIST_DENIED], 1);
    cr_expect_eq(at[TOPLIST_ASKED], 1);
    cr_expect_eq(at[TOPLIST_ASKED_US], 300);
    cr_expect_eq(at[TOPLIST_LAST_FAILED], 0);
    at = counts_of(&rows, SPAN("a.example:8080"));
    cr_expect_eq(at[TOPLIST_UNREACHED], 1);
    cr_expect_eq(at[TOPLIST_FAILED], 0);
    cr_expect_eq(at[TOPLIST_LAST_FAILED], 1000);
    cr_expect_eq(at[TOPLIST_LAST_REASON], REASON_CONNECT);
    topk_rows_fini(&rows);
    toplist_free(&toplist);
}

Test(toplist, hosts_with_ports)
{
    struct toplist *toplist = toplist_new(900);
    char longest[256] = {0};

    memset(longest, 'h', sizeof(longest) - 1);
    hear(toplist, &(struct heard){"2001:db8::1", 8080, "192.0.2.1", hit, 100});
    hear(toplist, &(struct heard){"2001:db8::1", 80, "192.0.2.1", hit, 100});
    hear(toplist, &(struct heard){longest, 65535, "192.0.2.1", hit, 100});
    toplist_publish(toplist, 1000);
    struct topk_rows rows = read_rows(toplist, TOPLIST_HOSTS);
    cr_expect_eq(rows.count, 3);
    counts_of(&rows, SPAN("[2001:db8::1]:8080"));
    counts_of(&rows, SPAN("2001:db8::1"));
    topk_rows_fini(&rows);
    toplist_free(&toplist);
}

Test(toplist, clients)
{
    struct toplist *toplist = toplist_new(900);
    struct ip client;

    hear(toplist, &(struct heard){"a.example", 80, "192.0.2.1", hit, 100});
    hear(toplist, &(struct heard){"", 0, "192.0.2.1", denied, 10});
    hear(toplist, &(struct heard){"b.example", 80, "2001:db8::1", hit, 1});
    toplist_publish(toplist, 1000);
    struct topk_rows rows = read_rows(toplist, TOPLIST_CLIENTS);
    cr_assert_eq(rows.count, 2);
    ip_parse(SPAN("192.0.2.1"), &client);
    const uint64_t *at = counts_of(&rows, span_of((char *)client.at, sizeof(client.at)));
    cr_expect_eq(at[TOPLIST_REQUESTS], 2);
    cr_expect_eq(at[TOPLIST_BYTES], 110);
    topk_rows_fini(&rows);
    toplist_free(&toplist);
}

Test(toplist, savable_by_host_and_reason)
{
    struct toplist *toplist = toplist_new(900);

    hear(toplist, &(struct heard){"a.example", 80, "192.0.2.1", private_miss, 500});
    hear(toplist, &(struct heard){"a.example", 80, "192.0.2.1", private_miss, 500});
    hear(toplist, &(struct heard){"a.example", 80, "192.0.2.1", tunnel, 30000});
    hear(toplist, &(struct heard){"a.example", 80, "192.0.2.1", miss, 7});
    hear(toplist, &(struct heard){"a.example", 80, "192.0.2.1", hit, 7});
    toplist_publish(toplist, 1000);
    struct topk_rows rows = read_rows(toplist, TOPLIST_SAVABLE);
    cr_assert_eq(rows.count, 2);
    cr_expect_eq(rows.at[0].key[0], REASON_NONE);
    cr_expect_eq(rows.at[0].counts[TOPLIST_BYTES], 30000);
    cr_expect_eq(rows.at[1].key[0], REASON_PRIVATE);
    cr_expect(span_eq(span_skip(topk_key(&rows.at[1]), 1), SPAN("a.example")));
    cr_expect_eq(rows.at[1].counts[TOPLIST_REQUESTS], 2);
    cr_expect_eq(rows.at[1].counts[TOPLIST_BYTES], 1000);
    topk_rows_fini(&rows);
    toplist_free(&toplist);
}

Test(toplist, after_two_hours_it_is_forgotten)
{
    static const struct {
        int64_t now;
        size_t rows;
    } steps[] = {{1000, 1}, {4599, 1}, {4600, 1}, {8199, 1}, {8200, 0}};
    struct toplist *toplist = toplist_new(1000);

    hear(toplist, &(struct heard){"a.example", 80, "192.0.2.1", hit, 100});
    for (size_t i = 0; i < 5; i++) {
        toplist_publish(toplist, steps[i].now);
        struct topk_rows rows = read_rows(toplist, TOPLIST_HOSTS);
        cr_expect_eq(rows.count, steps[i].rows, "at %lld", (long long)steps[i].now);
        topk_rows_fini(&rows);
    }
    toplist_free(&toplist);
}
