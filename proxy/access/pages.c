#include "proxy/access/pages.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "http/language.h"
#include "proxy/access/file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>

enum { PAGES_MAX = 256, PAGE_SIZE_MAX = 1 << 20 };

struct page {
    int status; /* 0: of all */
    bool html;
    char *language; /* empty: for any language */
    char *text;
    size_t len;
};

struct pages {
    struct page at[PAGES_MAX];
    size_t count;
    struct span languages[PAGES_MAX];
    size_t language_count;
};

static const struct span hole_names[PAGE_HOLE_COUNT] = {
#define X(id, word) SPAN_INIT(word),
    PAGE_HOLES(X)
#undef X
};

void pages_free(struct pages **slot)
{
    struct pages *pages = *slot;

    *slot = NULL;
    for (size_t i = 0; pages && i < pages->count; i++) {
        free(pages->at[i].language);
        free(pages->at[i].text);
    }
    free(pages);
}

/* ---- loading ---- */

/* Parses "403.de.html". False: not the name of a page. */
static bool read_name(struct span name, struct page *page, struct span *language)
{
    struct span rest = name;
    struct span kind = span_cut(&rest, '.');
    struct span middle = span_cut(&rest, '.');
    uint64_t status = 0;
    bool has_language = rest.len > 0;
    struct span type = has_language ? rest : middle;

    *language = has_language ? middle : SPAN_EMPTY;
    page->html = span_eq(type, SPAN("html"));
    if ((!page->html && !span_eq(type, SPAN("txt"))) ||
        (has_language && !language_is_tag(*language))) {
        return false;
    }
    if (!span_eq(kind, SPAN("error")) &&
        (kind.len != 3 || !span_to_u64(kind, 599, &status) || status < 400)) {
        return false;
    }
    page->status = (int)status;
    return true;
}

/* The hole that begins at "{{", and its length in *taken. PAGE_HOLE_COUNT: unknown name. */
static size_t hole_at(struct span text, size_t *taken)
{
    size_t end = span_find(text, '}'), hole = 0;
    struct span name = span_trim(span_skip(span_take(text, end), 2));

    *taken = end + 2;
    if (!span_starts(span_skip(text, end), SPAN("}}"))) {
        return PAGE_HOLE_COUNT;
    }
    while (hole < PAGE_HOLE_COUNT && !span_eq(hole_names[hole], name)) {
        hole++;
    }
    return hole;
}

/* Length of the text before the next hole. */
static size_t plain_len(struct span text)
{
    const char *at = text.len ? memmem(text.at, text.len, "{{", 2) : NULL;
    return at ? (size_t)(at - text.at) : text.len;
}

static void check_holes(struct span text, struct file_errors *errors)
{
    size_t line = 1, taken;

    for (size_t len = plain_len(text); len < text.len; len = plain_len(text)) {
        for (size_t i = 0; i < len; i++) {
            line += text.at[i] == '\n';
        }
        text = span_skip(text, len);
        if (hole_at(text, &taken) == PAGE_HOLE_COUNT) {
            file_complain(errors, line,
                          "\"%.*s\" is not a placeholder; expected {{what}}, {{todo}}, "
                          "{{title}}, {{status}}, {{reason}}, {{incident}}, {{proxy}} or "
                          "{{language}}",
                          (int)(text.len < 20 ? span_find(text, '\n') : 20), text.at);
            taken = 2;
        }
        text = span_skip(text, taken);
    }
}

static void add_language(struct pages *pages, struct span language)
{
    for (size_t i = 0; i < pages->language_count; i++) {
        if (span_ieq(pages->languages[i], language)) {
            return;
        }
    }
    pages->languages[pages->language_count++] = language;
}

static int load_page(struct pages *pages, const char *path, const struct page *named,
                     struct span language, struct buf *errors)
{
    struct file_errors told = {.path = path, .out = errors};
    struct file_identity identity;
    struct buf text = BUF_INIT;
    struct page *page = &pages->at[pages->count];
    int err = file_read(path, PAGE_SIZE_MAX, &identity, &text, errors);

    if (!err) {
        check_holes(buf_span(&text), &told);
        err = file_errors_end(&told);
    }
    if (!err) {
        *page = *named;
        page->language = xspandup(language);
        page->text = xspandup(buf_span(&text));
        page->len = buf_len(&text);
        pages->count++;
        if (language.len) {
            add_language(pages, span_str(page->language));
        }
    }
    buf_fini(&text);
    return err;
}

static int load_entry(struct pages *pages, const char *folder, const char *name, struct buf *errors,
                      struct buf *warnings)
{
    struct page named = {0};
    struct span language;
    char path[PATH_MAX];

    if (name[0] == '.') {
        return 0;
    }
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path) ||
        !read_name(span_str(name), &named, &language)) {
        buf_printf(warnings, "%s/%s: not a page; expected a name such as 403.html or 407.de.txt\n",
                   folder, name);
        return 0;
    }
    if (pages->count == PAGES_MAX) {
        buf_printf(errors, "%s: more than %d pages\n", folder, PAGES_MAX);
        return ERR_CONFIG;
    }
    return load_page(pages, path, &named, language, errors);
}

int pages_load(const char *folder, struct buf *errors, struct buf *warnings, struct pages **out)
{
    struct pages *pages = xcalloc(1, sizeof(*pages));
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, NULL, alphasort);
    int err = count < 0 ? ERR_CONFIG : 0;

    if (count < 0) {
        buf_printf(errors, "%s: cannot be read: %s; expected a folder with pages\n", folder,
                   err_text(-errno));
    }
    for (int i = 0; i < count; i++) {
        int one = load_entry(pages, folder, entries[i]->d_name, errors, warnings);
        err = err ? err : one;
        free(entries[i]);
    }
    free(entries);
    if (err) {
        pages_free(&pages);
    }
    *out = pages;
    return err;
}

/* ---- looking ---- */

const struct span *pages_languages(const struct pages *pages, size_t *count)
{
    *count = pages->language_count;
    return pages->languages;
}

struct span pages_find(const struct pages *pages, int status, struct span language, bool html)
{
    const struct page *best = NULL;
    int most = 0;

    for (size_t i = 0; i < pages->count; i++) {
        const struct page *page = &pages->at[i];
        bool is_own = span_ieq(span_str(page->language), language);
        if (page->html != html || (page->status && page->status != status) ||
            (page->language[0] && !is_own)) {
            continue;
        }
        int worth = 1 + 2 * (page->status == status) + (page->language[0] != '\0');
        if (worth > most) {
            most = worth;
            best = page;
        }
    }
    return best ? span_of(best->text, best->len) : SPAN_EMPTY;
}

/* ---- filling ---- */

/* A range of first bytes of UTF-8, the length, and the range of the second byte (RFC 3629 4). */
struct utf8_lead {
    unsigned char from, to;
    unsigned char len;
    unsigned char second_from, second_to;
};

/* clang-format off */
static const struct utf8_lead utf8_leads[] = {
    {0x00, 0x7f, 1, 0, 0},
    {0xc2, 0xdf, 2, 0x80, 0xbf},
    {0xe0, 0xe0, 3, 0xa0, 0xbf}, /* no overlong forms */
    {0xe1, 0xec, 3, 0x80, 0xbf},
    {0xed, 0xed, 3, 0x80, 0x9f}, /* no surrogates */
    {0xee, 0xef, 3, 0x80, 0xbf},
    {0xf0, 0xf0, 4, 0x90, 0xbf},
    {0xf1, 0xf3, 4, 0x80, 0xbf},
    {0xf4, 0xf4, 4, 0x80, 0x8f}, /* up to U+10FFFF */
};
/* clang-format on */

static const struct utf8_lead *utf8_lead_of(unsigned char first)
{
    for (size_t i = 0; i < ARRAY_LEN(utf8_leads); i++) {
        if (utf8_leads[i].from <= first && first <= utf8_leads[i].to) {
            return &utf8_leads[i];
        }
    }
    return NULL;
}

/* Length of the well-formed UTF-8 character at the beginning (RFC 3629); 0: none. */
static size_t character_len(struct span text)
{
    const unsigned char *at = (const unsigned char *)text.at;
    const struct utf8_lead *lead = utf8_lead_of(at[0]);

    if (lead == NULL || lead->len > text.len ||
        (lead->len > 1 && (at[1] < lead->second_from || at[1] > lead->second_to))) {
        return 0;
    }
    for (size_t i = 2; i < lead->len; i++) {
        if (at[i] < 0x80 || at[i] > 0xbf) {
            return 0;
        }
    }
    return lead->len;
}

static struct span escaped(char c)
{
    switch (c) {
    case '&':
        return SPAN("&amp;");
    case '<':
        return SPAN("&lt;");
    case '>':
        return SPAN("&gt;");
    case '"':
        return SPAN("&quot;");
    case '\'':
        return SPAN("&#39;");
    default:
        return SPAN_EMPTY;
    }
}

void pages_escape(struct buf *out, struct span text, bool html)
{
    while (text.len) {
        size_t len = character_len(text);
        struct span instead = html ? escaped(text.at[0]) : SPAN_EMPTY;
        unsigned char first = (unsigned char)text.at[0];
        if (len == 0 || first < ' ' || first == 0x7f ||
            (first == 0xc2 && (unsigned char)text.at[1] < 0xa0)) {
            instead = SPAN("?");
        }
        len = len ? len : 1;
        buf_append(out, instead.len ? instead : span_take(text, len));
        text = span_skip(text, len);
    }
}

void pages_fill(struct span text, const struct span holes[PAGE_HOLE_COUNT], bool html,
                struct buf *out)
{
    size_t taken;

    while (text.len) {
        size_t len = plain_len(text);
        buf_append(out, span_take(text, len));
        text = span_skip(text, len);
        if (text.len == 0) {
            return;
        }
        size_t hole = hole_at(text, &taken);
        if (hole < PAGE_HOLE_COUNT) { /* always true, as names are checked at load */
            pages_escape(out, holes[hole], html);
        }
        text = span_skip(text, taken);
    }
}
