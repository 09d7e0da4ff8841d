#include "proxy/stream/tls_context_parts.h"

#include "base/clock.h"
#include "base/err.h"
#include "tests/lib/certs.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/stat.h>

static struct buf errors, warnings;
static const struct tls_report report = {&errors, &warnings};

static void setup(void)
{
    certs_make();
    certs_sign("one", "DNS:one.test,DNS:*.wide.test", 90);
    certs_sign("two", "DNS:two.test,DNS:exact.wide.test,DNS:*.two.test", 90);
}

static void teardown(void)
{
    certs_remove();
    buf_fini(&errors);
    buf_fini(&warnings);
}

TestSuite(tls_context, .init = setup, .fini = teardown);

static struct tls_files files_of(const char *certificate, const char *key)
{
    return (struct tls_files){certs_path(certificate), certs_path(key)};
}

static int make(const struct tls_files *files, size_t count, struct tls_context **out)
{
    struct tls_server_options options = {
        .identity = "127.0.0.1:1", .files = files, .count = count, .alpn = BIT(ALPN_HTTP1)};

    return tls_server_new(&options, &report, out);
}

static bool said(struct buf *buf, const char *text)
{
    struct span all = buf_span(buf);
    bool found = all.len && memmem(all.at, all.len, text, strlen(text));

    if (!found) {
        fprintf(stderr, "instead of \"%s\": %.*s\n", text, SPAN_ARGS(all));
    }
    return found;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    fputs(text, file);
    fclose(file);
}

Test(tls_context, rfc6066_3_the_name_asked_for_chooses_the_certificate)
{
    static const struct {
        const char *name;
        size_t want;
    } cases[] = {
        {"one.test", 0},        {"two.test", 1},   {"TWO.Test", 1},     {"", 0},
        {"unknown.test", 0},    {"a.two.test", 1}, {"a.b.two.test", 0}, {"a.wide.test", 0},
        {"exact.wide.test", 1}, {"wide.test", 0},  {".two.test", 0},    {"two.test.", 0},
        {"xtwo.test", 0},       {"*.two.test", 1},
    };
    struct tls_files files[] = {files_of("one.pem", "one.key"), files_of("two.pem", "two.key")};
    struct tls_context *context;

    cr_assert_eq(make(files, 2, &context), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_eq(tls_choose(context, span_str(cases[i].name)),
                     &context->identities[cases[i].want], "%s", cases[i].name);
    }
    cr_expect_eq(buf_len(&warnings), 0);
    tls_context_unref(&context);
    cr_expect_null(context);
}

Test(tls_context, files_that_are_not_there_are_named_all_at_once)
{
    struct tls_files files[] = {files_of("none.pem", "none.key"), files_of("one.pem", "gone.key")};
    struct tls_context *context;

    cr_expect_eq(make(files, 2, &context), ERR_CONFIG);
    cr_expect_null(context);
    cr_expect(said(&errors, "none.pem: No such file or directory; expected a PEM file with the "
                            "certificate"));
    cr_expect(said(&errors, "gone.key: No such file or directory; expected a PEM file with the "
                            "certificate's key"));
}

Test(tls_context, the_key_of_another_certificate_is_refused)
{
    struct tls_files files = files_of("one.pem", "two.key");
    struct tls_context *context;

    cr_expect_eq(make(&files, 1, &context), ERR_CONFIG);
    cr_expect(said(&errors, "two.key: not the key of "));
}

Test(tls_context, what_is_no_certificate_or_no_key_is_refused)
{
    struct tls_files bad_pem = files_of("bad.pem", "one.key");
    struct tls_files bad_key = files_of("one.pem", "bad.key");
    struct tls_context *context;

    write_file(bad_pem.certificate, "nothing of interest\n");
    write_file(bad_key.key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    cr_expect_eq(make(&bad_pem, 1, &context), ERR_CONFIG);
    cr_expect(said(&errors, "bad.pem: no start line; expected a PEM file"));
    cr_expect_eq(make(&bad_key, 1, &context), ERR_CONFIG);
    cr_expect(said(&errors, "bad.key: "));
}

Test(tls_context, a_locked_key_is_refused_without_asking)
{
    struct tls_files files = files_of("one.pem", "locked.key");
    struct tls_context *context;
    char command[512];

    snprintf(command, sizeof(command), "openssl ec -aes128 -passout pass:x -in %s -out %s 2>&1",
             certs_path("one.key"), files.key);
    cr_assert_eq(system(command), 0);
    cr_expect_eq(make(&files, 1, &context), ERR_CONFIG);
    cr_expect(said(&errors, "locked.key: locked with a passphrase; expected "));
}

Test(tls_context, an_end_that_is_near_is_warned_of)
{
    struct tls_files files[] = {files_of("soon.pem", "soon.key"), files_of("late.pem", "late.key")};
    struct tls_context *context;

    certs_sign("soon", "DNS:soon.test", 29);
    certs_sign("late", "DNS:late.test", 0);
    cr_assert_eq(make(files, 2, &context), 0);
    cr_expect(said(&warnings, "soon.pem: the certificate expires on 20"));
    cr_expect(said(&warnings, "late.pem: the certificate has expired on 20"));
    const char *file;
    int64_t end = tls_context_expires(context, &file);
    cr_expect(span_ends(span_str(file), SPAN("late.pem")), "%s", file);
    cr_expect_leq(end, clock_wall());
    tls_context_unref(&context);
}

Test(tls_context, whom_to_trust_is_checked)
{
    struct tls_client_options options = {
        .ca = certs_path("none.pem"), .verify = true, .alpn = BIT(ALPN_HTTP1)};
    struct tls_context *context;

    cr_expect_eq(tls_client_new(&options, &report, &context), ERR_CONFIG);
    cr_expect(said(&errors, "none.pem: No such file or directory; expected a PEM file with the "
                            "certificates to trust"));
    options.ca = certs_path("ca.pem");
    cr_expect_eq(tls_client_new(&options, &report, &context), 0);
    tls_context_unref(&context);
}

/* ---- what is made anew at a reload ---- */

static void copy_file(const char *from, const char *to)
{
    char command[512];

    snprintf(command, sizeof(command), "cp %s %s", from, to);
    cr_assert_eq(system(command), 0);
}

static struct tls_context *renewed(struct tls_server_options options, struct tls_context *before)
{
    struct tls_context *context;

    options.before = before;
    cr_assert_eq(tls_server_new(&options, &report, &context), 0);
    return context;
}

Test(tls_context, a_listener_is_made_anew_when_something_has_changed)
{
    struct tls_files files[] = {files_of("own.pem", "own.key"), files_of("two.pem", "two.key")};
    struct tls_server_options options = {
        .identity = "127.0.0.1:1", .files = files, .count = 2, .alpn = BIT(ALPN_HTTP1)};
    copy_file(certs_path("one.pem"), files[0].certificate);
    copy_file(certs_path("one.key"), files[0].key);
    struct tls_context *first = renewed(options, NULL);
    struct tls_server_options other_name = options, other_alpn = options, fewer = options;

    other_name.identity = "127.0.0.1:2";
    other_alpn.alpn |= BIT(ALPN_H2);
    fewer.count = 1;
    struct tls_context *contexts[] = {renewed(options, first), renewed(other_name, first),
                                      renewed(other_alpn, first), renewed(fewer, first)};
    cr_expect_eq(contexts[0], first);
    copy_file(certs_path("one.pem"), files[0].certificate); /* the same again, but a newer file */
    struct tls_context *same = renewed(options, first);
    cr_expect_eq(same, first);
    copy_file(certs_path("two.pem"), files[0].certificate);
    copy_file(certs_path("two.key"), files[0].key);
    struct tls_context *last = renewed(options, first);
    cr_expect_neq(last, first);
    cr_expect_eq(last->tickets, first->tickets, "sessions stay good");
    cr_expect_neq(tls_context_serial(last), tls_context_serial(first));
    for (size_t i = 0; i < sizeof(contexts) / sizeof(*contexts); i++) {
        cr_expect(i == 0 || contexts[i] != first, "%zu", i);
        tls_context_unref(&contexts[i]);
    }
    tls_context_unref(&same);
    tls_context_unref(&last);
    tls_context_unref(&first);
}

Test(tls_context, an_end_that_is_near_is_warned_of_at_every_reload)
{
    struct tls_files files = files_of("soon.pem", "soon.key");
    struct tls_server_options options = {
        .identity = "127.0.0.1:1", .files = &files, .count = 1, .alpn = BIT(ALPN_HTTP1)};

    certs_sign("soon", "DNS:soon.test", 29);
    struct tls_context *first = renewed(options, NULL);
    size_t one = buf_len(&warnings);
    struct tls_context *second = renewed(options, first);
    cr_expect_eq(second, first);
    cr_expect(one > 0 && buf_len(&warnings) == 2 * one);
    tls_context_unref(&first);
    tls_context_unref(&second);
}

Test(tls_context, a_reload_with_a_file_that_is_gone_is_refused)
{
    struct tls_files files = files_of("own.pem", "own.key");
    struct tls_server_options options = {
        .identity = "127.0.0.1:1", .files = &files, .count = 1, .alpn = BIT(ALPN_HTTP1)};
    struct tls_context *context;

    copy_file(certs_path("one.pem"), files.certificate);
    copy_file(certs_path("one.key"), files.key);
    struct tls_context *first = renewed(options, NULL);
    remove(files.key);
    options.before = first;
    cr_expect_eq(tls_server_new(&options, &report, &context), ERR_CONFIG);
    cr_expect(said(&errors, "own.key: No such file or directory"));
    tls_context_unref(&first);
}

/* What a reload makes of the terms for origins. */
static struct tls_context *trusting(const char *ca, bool verify, struct tls_context *before)
{
    struct tls_client_options options = {
        .ca = ca, .verify = verify, .alpn = BIT(ALPN_H2), .before = &before, .before_count = 1};
    struct tls_context *context;

    cr_assert_eq(tls_client_new(&options, &report, &context), 0);
    return context;
}

/* Whether it is the same one; `context` is given back. */
static bool is_still(struct tls_context *context, const struct tls_context *before)
{
    bool same = context == before;

    tls_context_unref(&context);
    return same;
}

Test(tls_context, whom_to_trust_is_read_anew_when_it_has_changed)
{
    const char *ca = certs_path("trusted.pem");

    copy_file(certs_path("ca.pem"), ca);
    struct tls_context *first = trusting(ca, true, NULL);
    cr_expect(is_still(trusting(ca, true, first), first));
    cr_expect_not(is_still(trusting(ca, false, first), first));
    cr_expect_not(is_still(trusting(NULL, true, first), first));
    cr_expect_not(is_still(trusting(certs_path("ca.pem"), true, first), first));
    copy_file(certs_path("other.pem"), ca);
    cr_expect_not(is_still(trusting(ca, true, first), first));
    tls_context_unref(&first);
}

Test(tls_context, the_systems_store_is_read_anew_when_it_has_changed)
{
    const char *folder = certs_path("system"), *bundle = certs_path("bundle.pem");
    char more[256];

    cr_assert_eq(mkdir(folder, 0700), 0);
    snprintf(more, sizeof(more), "%s/ca.pem", folder);
    copy_file(certs_path("ca.pem"), bundle);
    setenv("SSL_CERT_DIR", folder, 1);
    setenv("SSL_CERT_FILE", bundle, 1);
    struct tls_context *first = trusting(NULL, true, NULL);
    cr_expect(is_still(trusting(NULL, true, first), first));
    copy_file(certs_path("ca.pem"), more);
    struct tls_context *second = trusting(NULL, true, first);
    cr_expect_neq(second, first);
    cr_expect(is_still(trusting(NULL, true, second), second));
    write_file(bundle, "");
    struct tls_context *third = trusting(NULL, true, second);
    cr_expect_neq(third, second);
    remove(more);
    cr_expect_not(is_still(trusting(NULL, true, third), third));
    tls_context_unref(&first);
    tls_context_unref(&second);
    tls_context_unref(&third);
}

Test(tls_context, rfc7301_the_list_of_protocols)
{
    cr_expect(span_eq(tls_alpn_list(BIT(ALPN_HTTP1)), SPAN("\x08http/1.1")));
    cr_expect(span_eq(tls_alpn_list(BIT(ALPN_H2)), SPAN("\x02h2")));
    cr_expect(span_eq(tls_alpn_list(BIT(ALPN_H2) | BIT(ALPN_HTTP1)), SPAN("\x02h2\x08http/1.1")));
}
