#include "base/err.h"
#include "base/mem.h"
#include "proxy/origin/hosts.h"
#include "proxy/origin/resolve.h"
#include "tests/unit/proxy/dns_fake.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

/* A busy machine may let this thread wait for some hundred milliseconds: then answers are late. */
enum { GIVE_UP_MS = 8000, PATIENT_MS = 20000, HASTY_MS = 1000 };

/* A loop, a resolver and the one name server it asks. */
struct bench {
    struct loop *loop;
    struct resolver *resolver;
    struct dns_fake dns;
    const char *nameservers[2];
    struct resolver_settings settings;
};

/* One lookup and what it brought. */
struct lookup {
    struct resolve_waiter waiter;
    unsigned answers;
    bool at_once;
    struct resolve_answer answer; /* the last */
    struct resolve_answer first;
};

static void on_answered(struct resolve_waiter *waiter, const struct resolve_answer *answer)
{
    struct lookup *lookup = container_of(waiter, struct lookup, waiter);

    if (lookup->answers++ == 0) {
        lookup->first = *answer;
    }
    lookup->answer = *answer;
}

static void open_bench_with(struct bench *b, unsigned timeout_ms)
{
    *b = (struct bench){0};
    cr_assert_eq(loop_new(&b->loop), 0);
    dns_fake_open(&b->dns, loop_uv(b->loop));
    b->nameservers[0] = b->dns.endpoint;
    b->settings = (struct resolver_settings){
        .timeout_ms = timeout_ms,
        .nameservers = b->nameservers,
        .nameserver_count = 1,
        .hosts_path = "/nonexistent/hosts",
    };
    cr_assert_eq(resolver_new(b->loop, &b->settings, &b->resolver), 0);
}

static void open_bench(struct bench *b)
{
    open_bench_with(b, PATIENT_MS);
}

/* For what waits for the end of its patience. */
static void open_hasty_bench(struct bench *b)
{
    open_bench_with(b, HASTY_MS);
}

static void close_bench(struct bench *b)
{
    resolver_free(&b->resolver);
    cr_expect_null(b->resolver);
    dns_fake_close(&b->dns);
    loop_stop(b->loop);
    loop_run(b->loop);
    loop_free(&b->loop);
}

static void on_wait_end(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

/* Runs the loop until `*count` is at least `want`, or for `ms`. */
static void run_until(struct bench *b, const unsigned *count, unsigned want, uint64_t ms)
{
    bool over = false;
    uv_timer_t timer;

    uv_timer_init(loop_uv(b->loop), &timer);
    timer.data = &over;
    uv_timer_start(&timer, on_wait_end, ms, 0);
    while (!over && (count == NULL || *count < want)) {
        uv_run(loop_uv(b->loop), UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(loop_uv(b->loop), UV_RUN_NOWAIT);
}

static void start(struct bench *b, struct lookup *lookup, const char *name)
{
    *lookup = (struct lookup){.waiter.answered = on_answered};
    if (resolve(b->resolver, span_str(name), &lookup->waiter, &lookup->answer)) {
        lookup->at_once = true;
        lookup->first = lookup->answer;
        lookup->answers = lookup->answer.partial ? 0 : 1;
    }
    cr_expect_eq(lookup->answers, lookup->at_once && !lookup->answer.partial,
                 "nothing is called from inside resolve()");
}

static void finish(struct bench *b, struct lookup *lookup)
{
    while (lookup->answers == 0 || lookup->answer.partial) {
        unsigned before = lookup->answers;
        run_until(b, &lookup->answers, before + 1, GIVE_UP_MS);
        cr_assert_gt(lookup->answers, before, "no answer came");
    }
}

static struct resolve_answer look_up(struct bench *b, const char *name)
{
    struct lookup lookup;

    start(b, &lookup, name);
    finish(b, &lookup);
    return lookup.answer;
}

static void expect_addresses(const struct resolve_answer *answer, const char *wanted)
{
    char text[IP_TEXT_MAX];
    struct buf all = BUF_INIT;

    for (size_t i = 0; i < answer->count; i++) {
        buf_printf(&all, "%s%s", i ? " " : "", ip_text(&answer->at[i], text));
    }
    cr_expect(span_eq(buf_span(&all), span_str(wanted)), "%.*s instead of %s",
              SPAN_ARGS(buf_span(&all)), wanted);
    buf_fini(&all);
}

Test(resolve, names_are_checked_before_they_are_asked_rfc1123_2_1)
{
    char long_label[80];
    char long_name[300];
    static const struct {
        const char *name;
        bool valid;
    } cases[] = {
        {"example.com", true},
        {"example.com.", true},
        {"EXAMPLE.com", true},
        {"localhost", true},
        {"_dmarc.example.com", true},
        {"xn--bcher-kva.example", true},
        {"3com.com", true},
        {"a.1b", true},
        {"", false},
        {".", false},
        {"..", false},
        {"a..b", false},
        {".a", false},
        {"a.b..", false},
        {"a b.example", false},
        {"a\tb", false},
        {"b\xc3\xbc"
         "cher.example",
         false},
        {"a/b.example", false},
        {"a\\.b", false},
        {"a@b", false},
        {"a%00.b", false},
        {"a:b", false},
        {"127.1", false},
        {"1.2.3.4.5", false},
        {"2130706433", false},
        {"0x7f000001", false},
        {"a.0x7f", false},
        {"example.123", false},
        {"fe80::1%lo", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(resolve_is_name(span_str(cases[i].name)), cases[i].valid, "%s", cases[i].name);
    }
    cr_expect_not(resolve_is_name(span_of("a\0b.example", 11)));
    memset(long_label, 'a', sizeof(long_label));
    cr_expect(resolve_is_name(span_of(long_label, 63)));
    cr_expect_not(resolve_is_name(span_of(long_label, 64)));
    for (size_t i = 0; i < sizeof(long_name); i++) {
        long_name[i] = i % 50 == 49 ? '.' : 'a';
    }
    cr_expect(resolve_is_name(span_of(long_name, 253)));
    cr_expect_not(resolve_is_name(span_of(long_name, 254)));
}

Test(resolve, literals_need_no_question)
{
    struct bench b;
    static const struct {
        const char *name, *want;
    } cases[] = {
        {"192.0.2.7", "192.0.2.7"},
        {"2001:db8::1", "2001:db8::1"},
        {"::1", "::1"},
        {"::ffff:192.0.2.7", "192.0.2.7"},
    };

    open_bench(&b);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lookup lookup;
        start(&b, &lookup, cases[i].name);
        cr_expect(lookup.at_once);
        expect_addresses(&lookup.answer, cases[i].want);
    }
    cr_expect_eq(look_up(&b, "127.1").err, ERR_NO_ADDRESS);
    cr_expect_eq(look_up(&b, "a b").err, ERR_NO_ADDRESS);
    cr_expect_eq(b.dns.questions, 0);
    close_bench(&b);
}

Test(resolve, localhost_is_loopback_without_any_file_rfc6761_6_3)
{
    struct bench b;

    open_bench(&b);
    struct resolve_answer answer = look_up(&b, "localhost");
    expect_addresses(&answer, "::1 127.0.0.1");
    answer = look_up(&b, "Some.LOCALHOST.");
    expect_addresses(&answer, "::1 127.0.0.1");
    cr_expect_eq(b.dns.questions, 0);
    close_bench(&b);
}

Test(resolve, both_families_ipv6_first_and_cached_by_ttl)
{
    struct bench b;

    open_bench(&b);
    dns_fake_add(&b.dns, "www.example", AF_INET, "192.0.2.1", 60);
    dns_fake_add(&b.dns, "www.example", AF_INET, "192.0.2.2", 60);
    dns_fake_add(&b.dns, "www.example", AF_INET6, "2001:db8::1", 60);
    struct resolve_answer answer = look_up(&b, "www.example");
    cr_expect_eq(answer.err, 0);
    expect_addresses(&answer, "2001:db8::1 192.0.2.1 192.0.2.2");
    cr_expect_eq(b.dns.questions, 2);

    struct lookup again;
    start(&b, &again, "WWW.Example.");
    cr_expect(again.at_once);
    expect_addresses(&again.answer, "2001:db8::1 192.0.2.1 192.0.2.2");
    cr_expect_eq(b.dns.questions, 2);
    close_bench(&b);
}

Test(resolve, one_family_is_enough)
{
    struct bench b;

    open_bench(&b);
    dns_fake_add(&b.dns, "four.example", AF_INET, "192.0.2.1", 60);
    dns_fake_add(&b.dns, "six.example", AF_INET6, "2001:db8::1", 60);
    struct resolve_answer answer = look_up(&b, "four.example");
    expect_addresses(&answer, "192.0.2.1");
    answer = look_up(&b, "six.example");
    expect_addresses(&answer, "2001:db8::1");
    close_bench(&b);
}

Test(resolve, aliases_are_followed_and_the_least_ttl_counts)
{
    struct bench b;

    open_bench(&b);
    dns_fake_alias(&b.dns, "www.example", "edge.example", 1);
    dns_fake_add(&b.dns, "edge.example", AF_INET, "192.0.2.9", 600);
    struct resolve_answer answer = look_up(&b, "www.example");
    expect_addresses(&answer, "192.0.2.9");
    dns_fake_clear(&b.dns);
    dns_fake_add(&b.dns, "www.example", AF_INET, "192.0.2.10", 600);
    run_until(&b, NULL, 0, 1200);
    answer = look_up(&b, "www.example");
    expect_addresses(&answer, "192.0.2.10");
    close_bench(&b);
}

Test(resolve, a_ttl_of_0_is_kept_for_a_second)
{
    struct bench b;

    open_bench(&b);
    dns_fake_add(&b.dns, "www.example", AF_INET, "192.0.2.1", 0);
    look_up(&b, "www.example");
    unsigned questions = b.dns.questions;
    look_up(&b, "www.example");
    cr_expect_eq(b.dns.questions, questions);
    run_until(&b, NULL, 0, 1200);
    look_up(&b, "www.example");
    cr_expect_gt(b.dns.questions, questions);
    close_bench(&b);
}

Test(resolve, no_such_name_is_remembered)
{
    struct bench b;

    open_bench(&b);
    cr_expect_eq(look_up(&b, "nowhere.example").err, ERR_NO_ADDRESS);
    unsigned questions = b.dns.questions;
    cr_expect_eq(questions, 2, "no search list, no second try");
    cr_expect_eq(look_up(&b, "nowhere.example").err, ERR_NO_ADDRESS);
    cr_expect_eq(b.dns.questions, questions);
    close_bench(&b);
}

Test(resolve, simultaneous_lookups_are_one_question)
{
    struct bench b;
    struct lookup lookups[20];

    open_bench(&b);
    dns_fake_add(&b.dns, "www.example", AF_INET, "192.0.2.1", 60);
    for (size_t i = 0; i < ARRAY_LEN(lookups); i++) {
        start(&b, &lookups[i], i % 2 ? "www.example" : "WWW.EXAMPLE.");
        cr_expect_not(lookups[i].at_once);
    }
    for (size_t i = 0; i < ARRAY_LEN(lookups); i++) {
        finish(&b, &lookups[i]);
        expect_addresses(&lookups[i].answer, "192.0.2.1");
    }
    cr_expect_eq(b.dns.questions, 2);
    close_bench(&b);
}

Test(resolve, a_lost_packet_is_asked_again)
{
    struct bench b;

    open_hasty_bench(&b);
    b.dns.swallow = 2;
    dns_fake_add(&b.dns, "www.example", AF_INET, "192.0.2.1", 60);
    struct resolve_answer answer = look_up(&b, "www.example");
    expect_addresses(&answer, "192.0.2.1");
    cr_expect_gt(b.dns.questions, 2);
    close_bench(&b);
}

Test(resolve, silence_is_a_timeout_and_a_late_answer_still_counts)
{
    struct bench b;

    open_hasty_bench(&b);
    b.dns.otherwise = FAKE_SILENT;
    cr_expect_eq(look_up(&b, "www.example").err, ERR_TIMEOUT);
    dns_fake_add(&b.dns, "www.example", AF_INET, "192.0.2.1", 60);
    struct resolve_answer answer = look_up(&b, "www.example");
    for (int i = 0; i < 5 && answer.err; i++) {
        run_until(&b, NULL, 0, 300);
        answer = look_up(&b, "www.example");
    }
    expect_addresses(&answer, "192.0.2.1");
    close_bench(&b);
}

Test(resolve, a_silent_family_does_not_hold_up_the_other_rfc8305_3)
{
    struct bench b;
    struct lookup lookup;
    struct lookup second;

    open_hasty_bench(&b);
    dns_fake_add(&b.dns, "www.example", AF_INET, "192.0.2.1", 60);
    b.dns.silent_family = AF_INET6;
    start(&b, &lookup, "www.example");
    run_until(&b, &lookup.answers, 1, GIVE_UP_MS);
    cr_expect_eq(lookup.answers, 1);
    cr_expect(lookup.first.partial);
    expect_addresses(&lookup.first, "192.0.2.1");

    start(&b, &second, "www.example"); /* a newcomer need not wait either */
    cr_expect(second.at_once);
    cr_expect(second.answer.partial);
    finish(&b, &lookup);
    finish(&b, &second);
    expect_addresses(&lookup.answer, "192.0.2.1");
    expect_addresses(&second.answer, "192.0.2.1");
    cr_expect_eq(lookup.answers, 2);
    close_bench(&b);
}

Test(resolve, an_expired_answer_serves_while_the_servers_are_away_rfc8767)
{
    struct bench b;

    open_hasty_bench(&b);
    dns_fake_add(&b.dns, "www.example", AF_INET, "192.0.2.1", 1);
    struct resolve_answer answer = look_up(&b, "www.example");
    cr_expect_not(answer.stale);
    dns_fake_clear(&b.dns);
    b.dns.otherwise = FAKE_SILENT;
    run_until(&b, NULL, 0, 1200);
    answer = look_up(&b, "www.example");
    cr_expect_eq(answer.err, 0);
    cr_expect(answer.stale);
    expect_addresses(&answer, "192.0.2.1");

    struct lookup at_once; /* still asked for in the background: nobody waits again */
    start(&b, &at_once, "www.example");
    cr_expect(at_once.at_once);
    cr_expect(at_once.answer.stale);
    close_bench(&b);
}

Test(resolve, a_failing_server_does_not_take_an_answer_away_but_nxdomain_does)
{
    struct bench b;

    open_bench(&b);
    dns_fake_add(&b.dns, "a.example", AF_INET, "192.0.2.1", 1);
    dns_fake_add(&b.dns, "b.example", AF_INET, "192.0.2.2", 1);
    look_up(&b, "a.example");
    look_up(&b, "b.example");
    dns_fake_clear(&b.dns);
    run_until(&b, NULL, 0, 1200);
    b.dns.otherwise = FAKE_SERVFAIL;
    struct resolve_answer answer = look_up(&b, "a.example");
    cr_expect(answer.stale);
    expect_addresses(&answer, "192.0.2.1");
    b.dns.otherwise = FAKE_NXDOMAIN;
    cr_expect_eq(look_up(&b, "b.example").err, ERR_NO_ADDRESS);
    close_bench(&b);
}

Test(resolve, no_server_at_all_is_no_address)
{
    struct bench b;

    open_bench(&b);
    b.dns.otherwise = FAKE_SERVFAIL;
    cr_expect_eq(look_up(&b, "www.example").err, ERR_NO_ADDRESS);
    b.nameservers[0] = "127.0.0.1:1"; /* nobody listens: refused at once */
    cr_assert_eq(resolver_reconfigure(b.resolver, &b.settings), 0);
    int err = look_up(&b, "other.example").err;
    cr_expect(err == ERR_NO_ADDRESS || err == ERR_TIMEOUT, "%s", err_text(err));
    close_bench(&b);
}

Test(resolve, a_server_that_cannot_even_be_asked_is_not_waited_for)
{
    struct bench b;
    struct lookup lookup;

    open_bench(&b);
    b.nameservers[0] = "255.255.255.255"; /* a socket must not connect to it */
    b.settings.timeout_ms = 10 * GIVE_UP_MS;
    cr_assert_eq(resolver_reconfigure(b.resolver, &b.settings), 0);
    start(&b, &lookup, "www.example");
    cr_expect_not(lookup.at_once);
    finish(&b, &lookup);
    cr_expect_eq(lookup.answer.err, ERR_NO_ADDRESS);
    close_bench(&b);
}

Test(resolve, a_cancelled_waiter_hears_nothing_and_the_others_do)
{
    struct bench b;
    struct lookup left;
    struct lookup stays;

    open_bench(&b);
    dns_fake_add(&b.dns, "www.example", AF_INET, "192.0.2.1", 60);
    start(&b, &left, "www.example");
    start(&b, &stays, "www.example");
    resolve_cancel(&left.waiter);
    resolve_cancel(&left.waiter);
    finish(&b, &stays);
    cr_expect_eq(left.answers, 0);
    cr_expect_eq(stays.answers, 1);
    close_bench(&b);
}

Test(resolve, changed_servers_are_asked_again_for_what_is_pending)
{
    struct bench b;
    struct dns_fake second;
    struct lookup lookup;

    open_bench(&b);
    dns_fake_open(&second, loop_uv(b.loop));
    dns_fake_add(&second, "www.example", AF_INET, "192.0.2.2", 60);
    b.dns.otherwise = FAKE_SILENT;
    b.settings.timeout_ms = GIVE_UP_MS;
    cr_assert_eq(resolver_reconfigure(b.resolver, &b.settings), 0);
    start(&b, &lookup, "www.example");
    run_until(&b, &b.dns.questions, 2, GIVE_UP_MS);
    b.nameservers[0] = second.endpoint;
    cr_assert_eq(resolver_reconfigure(b.resolver, &b.settings), 0);
    finish(&b, &lookup);
    expect_addresses(&lookup.answer, "192.0.2.2");
    dns_fake_close(&second);
    close_bench(&b);
}

Test(resolve, a_malformed_server_changes_nothing)
{
    struct bench b;

    open_bench(&b);
    dns_fake_add(&b.dns, "www.example", AF_INET, "192.0.2.1", 60);
    b.nameservers[0] = "not an address";
    cr_expect_eq(resolver_reconfigure(b.resolver, &b.settings), ERR_SYNTAX);
    cr_expect_eq(look_up(&b, "www.example").err, 0);
    close_bench(&b);
}

Test(resolve, freed_with_questions_under_way)
{
    struct bench b;
    struct lookup lookups[3];

    open_bench(&b);
    b.dns.otherwise = FAKE_SILENT;
    start(&b, &lookups[0], "a.example");
    start(&b, &lookups[1], "b.example");
    run_until(&b, &b.dns.questions, 4, GIVE_UP_MS);
    start(&b, &lookups[2], "b.example");
    close_bench(&b);
    for (size_t i = 0; i < ARRAY_LEN(lookups); i++) {
        cr_expect_eq(lookups[i].answers, 0);
    }
}

Test(resolve, the_number_of_names_held_is_bounded)
{
    struct bench b;
    struct resolver_stats stats;

    open_bench(&b);
    for (unsigned i = 0; i < 5000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%u.example", i);
        look_up(&b, name);
    }
    resolver_stats(b.resolver, &stats);
    cr_expect_eq(stats.cached, 4096);
    cr_expect_eq(stats.asked, 10000);
    close_bench(&b);
}

/* ASKING_MAX of resolve.c */
enum { MANY = 1024 };

/* More come at once than its socket holds: the next would be lost, too. */
static void let_it_read(struct bench *b)
{
    unsigned before;

    do {
        before = b->dns.questions;
        uv_run(loop_uv(b->loop), UV_RUN_NOWAIT);
    } while (b->dns.questions != before);
}

Test(resolve, names_that_nobody_answers_for_take_nothing_from_others)
{
    static struct lookup lookups[MANY];
    struct bench b;
    struct lookup more;
    struct resolver_stats stats;

    open_bench(&b);
    dns_fake_add(&b.dns, "known.example", AF_INET, "192.0.2.1", 3600);
    dns_fake_add(&b.dns, "origin.example", AF_INET, "192.0.2.2", 3600);
    cr_expect_eq(look_up(&b, "known.example").err, 0);
    b.dns.otherwise = FAKE_SILENT;
    for (unsigned i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%u.example", i);
        start(&b, &lookups[i], name);
        cr_assert_not(lookups[i].at_once);
    }
    start(&b, &more, "more.example");
    cr_expect(more.at_once && more.answer.err == ERR_BUSY, "one too many");
    start(&b, &more, "n7.example");
    cr_expect_not(more.at_once, "who asks for one of them waits, too");
    resolve_cancel(&more.waiter);
    start(&b, &more, "known.example");
    cr_expect(more.at_once && more.answer.err == 0, "what is known stays known");
    let_it_read(&b);
    more = (struct lookup){.waiter = {.answered = on_answered, .is_configured = true}};
    cr_assert_not(resolve(b.resolver, SPAN("origin.example"), &more.waiter, &more.answer));
    finish(&b, &more);
    cr_expect_eq(more.answer.err, 0, "an origin of the configuration is asked for");
    resolver_stats(b.resolver, &stats);
    cr_expect_eq(stats.cached, MANY + 2);
    for (unsigned i = 0; i < MANY; i++) {
        resolve_cancel(&lookups[i].waiter);
    }
    close_bench(&b);
}

static void start_for(struct bench *b, struct lookup *lookup, const char *client, unsigned number)
{
    char name[48];

    *lookup = (struct lookup){.waiter.answered = on_answered};
    cr_assert_eq(ip_parse(span_str(client), &lookup->waiter.client), 0);
    snprintf(name, sizeof(name), "n%u.example", number);
    lookup->at_once = resolve(b->resolver, span_str(name), &lookup->waiter, &lookup->answer);
}

/* How many names it may ask for, with no other among them before. */
static unsigned ask_for_all(struct bench *b, struct lookup *lookups, const char *client,
                            unsigned from)
{
    unsigned count = 0;

    for (;;) {
        start_for(b, &lookups[from + count], client, from + count);
        if (lookups[from + count].at_once) {
            cr_expect_eq(lookups[from + count].answer.err, ERR_BUSY);
            return count;
        }
        count++;
    }
}

Test(resolve, a_client_leaves_as_many_names_to_others_as_it_asks_for)
{
    static struct lookup lookups[MANY + 8];
    struct bench b;
    struct resolver_stats stats;

    open_bench(&b);
    b.dns.otherwise = FAKE_SILENT;
    unsigned one = ask_for_all(&b, lookups, "192.0.2.1", 0);
    cr_expect_eq(one, MANY / 2);
    unsigned two = ask_for_all(&b, lookups, "2001:db8::1", one);
    cr_expect_eq(two, MANY / 4);
    start_for(&b, &lookups[one + two], "2001:db8::2", one + two);
    cr_expect(lookups[one + two].at_once, "another address of the same /64");
    unsigned three = ask_for_all(&b, lookups, "2001:db8:0:1::1", one + two);
    cr_expect_eq(three, MANY / 8, "of another one");
    unsigned all = one + two + three;
    start_for(&b, &lookups[all], "192.0.2.1", all);
    cr_expect(lookups[all].at_once, "the first one has had its share");
    start_for(&b, &lookups[all], "192.0.2.2", all);
    cr_expect_not(lookups[all].at_once, "another has not");
    start_for(&b, &lookups[all + 1], "192.0.2.1", all);
    cr_expect_not(lookups[all + 1].at_once, "who asks for one of them waits, too");
    resolver_stats(b.resolver, &stats);
    cr_expect_eq(stats.cached, all + 1, "names that were refused take no room");
    let_it_read(&b);
    for (unsigned i = 0; i < all + 2; i++) {
        resolve_cancel(&lookups[i].waiter);
    }
    close_bench(&b);
}

Test(resolve, names_without_an_address_leave_before_those_with_one)
{
    struct namecache cache;
    struct resolve_answer answer = {.count = 1};

    namecache_init(&cache, 2, 8);
    for (unsigned i = 0; i < 6; i++) {
        static const char *const names[] = {"origin", "a", "x", "y", "b", "z"};
        struct name_entry *entry = namecache_get(&cache, span_str(names[i]), i == 0);
        bool has_address = names[i][0] < 'x';
        name_entry_ask(entry, (struct inquiry *)&cache);
        if (has_address) {
            name_entry_keep(entry, &answer, 1000, 1000);
        }
        name_entry_ask(entry, NULL);
        cr_expect_leq(cache.recent_count, 2);
    }
    cr_expect_eq(namecache_get(&cache, SPAN("a"), false)->count, 1);
    cr_expect_eq(namecache_get(&cache, SPAN("b"), false)->count, 1);
    cr_expect_eq(namecache_get(&cache, SPAN("origin"), false)->count, 1);
    cr_expect_eq(cache.names.count, 3);
    namecache_fini(&cache);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

static void expect_hosts(struct hosts *hosts, const char *name, uint64_t now, const char *wanted)
{
    struct resolve_answer answer = {0};

    answer.count = hosts_find(hosts, span_str(name), now, answer.at, RESOLVE_ADDRESSES_MAX);
    expect_addresses(&answer, wanted);
}

Test(hosts, names_and_aliases_of_the_file_until_it_changes)
{
    char path[] = "/tmp/larder-hosts-XXXXXX";
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    close(fd);
    write_file(path, "# comment\n192.0.2.1\tOne one.example # not.me\n\n2001:db8::1 one\r\n"
                     "not-an-address two\n 192.0.2.2 two");
    struct hosts *hosts = hosts_new(path);
    expect_hosts(hosts, "one", 0, "192.0.2.1 2001:db8::1");
    expect_hosts(hosts, "one.example", 0, "192.0.2.1");
    expect_hosts(hosts, "two", 0, "192.0.2.2");
    expect_hosts(hosts, "not.me", 0, "");
    expect_hosts(hosts, "comment", 0, "");
    write_file(path, "192.0.2.33 two\n");
    expect_hosts(hosts, "two", 999, "192.0.2.2");
    expect_hosts(hosts, "two", 1000, "192.0.2.33");
    expect_hosts(hosts, "one", 1000, "");
    unlink(path);
    expect_hosts(hosts, "two", 2000, "");
    hosts_free(&hosts);
}

Test(resolve, the_hosts_file_comes_before_the_servers)
{
    struct bench b;
    char path[] = "/tmp/larder-hosts-XXXXXX";
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    close(fd);
    write_file(path, "192.0.2.1 www.example\n2001:db8::1 www.example\n");
    open_bench(&b);
    b.settings.hosts_path = path;
    cr_assert_eq(resolver_reconfigure(b.resolver, &b.settings), 0);
    struct resolve_answer answer = look_up(&b, "WWW.example");
    expect_addresses(&answer, "2001:db8::1 192.0.2.1");
    cr_expect_eq(b.dns.questions, 0);
    unlink(path);
    close_bench(&b);
}
