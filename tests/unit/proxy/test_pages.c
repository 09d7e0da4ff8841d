#include "base/check.h"
#include "base/err.h"
#include "proxy/client/respond.h"
#include "tests/unit/cache/heads.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

static bool has_text(struct span text, const char *needle)
{
    return memmem(text.at, text.len, needle, strlen(needle)) != NULL;
}

/* ---- in the client's language, and as it takes it ---- */

static struct span page_for(const char *language, const char *accept, int status,
                            enum reason reason, const struct pages *pages, struct arena *arena,
                            struct http_head *head)
{
    struct http_head request;
    struct span body;

    head_init(&request, arena);
    if (language) {
        fields_add_id(&request.fields, FIELD_ACCEPT_LANGUAGE, span_str(language));
    }
    if (accept) {
        fields_add_id(&request.fields, FIELD_ACCEPT, span_str(accept));
    }
    struct respond_error error = {.status = status,
                                  .reason = reason,
                                  .name = SPAN("larder"),
                                  .incident = SPAN("1-2f"),
                                  .host = SPAN("secret.example"),
                                  .realm = SPAN("a \"b\" \\ c\xff \xc3\xa9"),
                                  .request = &request,
                                  .pages = pages,
                                  .now = NOW,
                                  .arena = arena};
    respond_error(&error, head, &body);
    return body;
}

#define BROWSER "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

Test(respond_error, languages_and_kinds)
{
    static const struct {
        const char *language, *accept, *tag, *text;
        bool html;
    } cases[] = {
        {NULL, BROWSER, "en", "<p>This proxy requires a name and a password.", true},
        {"de-AT,de;q=0.9", BROWSER, "de", "<p>Dieser Proxy verlangt Namen und Passwort.", true},
        {"fr", BROWSER, "fr", "<p>Ce proxy demande un nom et un mot de passe.", true},
        {"ru,en;q=0.5", BROWSER, "ru", "<p>Этот прокси требует имя и пароль.", true},
        {"xx", BROWSER, "en", "<title>407 Proxy Authentication Required</title>", true},
        {"de", BROWSER, "de", "<title>407 Anmeldung am Proxy nötig</title>", true},
        {NULL, "*/*", "en", "This proxy requires a name and a password.\n", false},
        {NULL, NULL, "en", "407 Proxy Authentication Required\n", false},
        {"de", "application/json", "de", "Geben Sie die Zugangsdaten ein", false},
        {"de", "application/xhtml+xml", "de", "<html lang=\"de\">", true},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head head;
        struct span body = page_for(cases[i].language, cases[i].accept, 407, REASON_CREDENTIALS,
                                    NULL, &arena, &head);
        struct span type = fields_get(&head.fields, FIELD_CONTENT_TYPE);
        cr_expect(has_text(body, cases[i].text), "%zu: %.*s", i, SPAN_ARGS(body));
        cr_expect(
            span_eq(fields_get(&head.fields, FIELD_CONTENT_LANGUAGE), span_str(cases[i].tag)));
        cr_expect(span_eq(type, cases[i].html ? SPAN("text/html; charset=utf-8")
                                              : SPAN("text/plain; charset=utf-8")));
        cr_expect(!has_text(body, "secret.example"), "nothing of the request is repeated");
        cr_expect(has_text(body, "1-2f"));
        cr_expect(span_eq(fields_get(&head.fields, FIELD_PROXY_AUTHENTICATE),
                          SPAN("Basic realm=\"a \\\"b\\\" \\\\ c? \xc3\xa9\", charset=\"UTF-8\"")));
    }
    arena_fini(&arena);
}

Test(respond_error, every_reason_has_words_in_every_language)
{
    static const char *const languages[] = {"en", "de", "fr", "ru"};
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(languages); i++) {
        for (int reason = 0; reason < REASON_COUNT; reason++) {
            struct http_head head;
            struct span body =
                page_for(languages[i], BROWSER, 403, (enum reason)reason, NULL, &arena, &head);
            cr_expect(has_text(body, "</html>"));
            cr_expect(!has_text(body, "<p>\n"));
        }
    }
    arena_fini(&arena);
}

/* ---- templates ---- */

static void put_page(const char *folder, const char *name, const char *text)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

static void remove_folder(const char *folder, const char *const *names, size_t count)
{
    char path[128];

    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

Test(pages, the_status_counts_more_than_the_language)
{
    static const char *const names[] = {"403.de.html", "403.html", "error.es.html", "error.html",
                                        "403.txt",     "README",   "403.de.jpg"};
    static const struct {
        const char *language, *accept;
        int status;
        const char *page;
    } cases[] = {
        {"de", BROWSER, 403, "[403.de.html|de|Die Regeln dieses Proxys"},
        {"fr", BROWSER, 403, "[403.html|fr|Les r"},
        {"es", BROWSER, 403, "[403.html|es|The rules of this proxy"},
        {"es", BROWSER, 407, "[error.es.html|es|The rules"},
        {"de", BROWSER, 502, "[error.html|de|Die Regeln"},
        {"de", "*/*", 403, "[403.txt|de|Die Regeln"},
        {"de", "*/*", 407, "407 Anmeldung am Proxy nötig\n"},
    };
    char folder[] = "/tmp/larder-test-XXXXXX", text[128];
    struct buf errors = BUF_INIT, warnings = BUF_INIT;
    struct pages *pages;
    struct arena arena;

    cr_assert_not_null(mkdtemp(folder));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(text, sizeof(text), "[%s|{{ language }}|{{what}}|{{incident}}|{{proxy}}{",
                 names[i]);
        put_page(folder, names[i], text);
    }
    cr_assert_eq(pages_load(folder, &errors, &warnings, &pages), 0);
    cr_expect_eq(buf_len(&errors), 0);
    cr_expect(has_text(buf_span(&warnings), "/README: not a page"));
    cr_expect(has_text(buf_span(&warnings), "/403.de.jpg: not a page"));
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head head;
        struct span body = page_for(cases[i].language, cases[i].accept, cases[i].status,
                                    REASON_ACCESS, pages, &arena, &head);
        cr_expect(span_starts(body, span_str(cases[i].page)), "%zu: %.*s", i, SPAN_ARGS(body));
    }
    arena_fini(&arena);
    pages_free(&pages);
    remove_folder(folder, names, ARRAY_LEN(names));
    buf_fini(&errors);
    buf_fini(&warnings);
}

Test(pages, holes_that_nothing_fills_are_told_by_line)
{
    static const char *const names[] = {"403.html", "407.html"};
    char folder[] = "/tmp/larder-test-XXXXXX";
    struct buf errors = BUF_INIT, warnings = BUF_INIT;
    struct pages *pages;

    cr_assert_not_null(mkdtemp(folder));
    put_page(folder, names[0], "<p>\n{{what}}\n{{url}}\n");
    put_page(folder, names[1], "{{what}");
    cr_expect_eq(pages_load(folder, &errors, &warnings, &pages), ERR_CONFIG);
    cr_expect_null(pages);
    cr_expect(has_text(buf_span(&errors), "/403.html:3: \"{{url}}\" is not a placeholder"));
    cr_expect(has_text(buf_span(&errors), "/407.html:1: \"{{what}\" is not a placeholder"));
    remove_folder(folder, names, ARRAY_LEN(names));
    buf_clear(&errors);
    cr_expect_eq(pages_load("/nowhere/at/all", &errors, &warnings, &pages), ERR_CONFIG);
    cr_expect(has_text(buf_span(&errors), "/nowhere/at/all: cannot be read"));
    buf_fini(&errors);
    buf_fini(&warnings);
}

Test(pages_escape, no_byte_becomes_markup_or_breaks_utf8)
{
    static const struct {
        const char *text, *html, *plain;
    } cases[] = {
        {"a<b>&\"'", "a&lt;b&gt;&amp;&quot;&#39;", "a<b>&\"'"},
        {"\xd0\xaf \xe2\x82\xac \xf0\x9f\x98\x80", "\xd0\xaf \xe2\x82\xac \xf0\x9f\x98\x80",
         "\xd0\xaf \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\x80\xc0\xaf\xe0\x80\x80", "??????", "??????"},
        {"\xed\xa0\x80\xf5\x80", "?????", "?????"},
        {"\xe2\x82", "??", "??"},
        {"\n\r\x7f\x1b", "????", "????"},
        {"\xc2\x85", "?", "?"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = BUF_INIT;
        pages_escape(&out, span_str(cases[i].text), true);
        cr_expect(span_eq(buf_span(&out), span_str(cases[i].html)), "%zu", i);
        buf_clear(&out);
        pages_escape(&out, span_str(cases[i].text), false);
        cr_expect(span_eq(buf_span(&out), span_str(cases[i].plain)), "%zu", i);
        buf_fini(&out);
    }
}
