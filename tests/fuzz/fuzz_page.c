/* A template of a page, and behind the first NUL what fills its holes: what is filled in never
 * becomes markup, and controls nothing where there is none. */
#include "base/check.h"
#include "base/mem.h"
#include "proxy/access/pages.h"
#include "proxy/client/page_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_of(struct span text, char c)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) {
        count += text.at[i] == c;
    }
    return count;
}

static void fill(struct span template, struct span more, bool html)
{
    struct span holes[PAGE_HOLE_COUNT];
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < PAGE_HOLE_COUNT; i++) {
        holes[i] = i % 2 ? more : page_what((enum reason)(i + more.len % 8), PAGE_DE);
    }
    pages_fill(template, holes, html, &out);
    CHECK(!html || count_of(buf_span(&out), '<') == count_of(template, '<'));
    CHECK(html || count_of(buf_span(&out), '\033') == count_of(template, '\033'));
    buf_fini(&out);
}

/* From a folder of its own, as an administrator's is read. */
static void load(struct span template, struct span more, const char *name)
{
    struct buf errors = BUF_INIT, warnings = BUF_INIT, path = BUF_INIT;
    char folder[] = "/tmp/larder-fuzz-XXXXXX";
    bool html = span_ends(span_str(name), SPAN("html"));
    struct pages *pages;

    CHECK(mkdtemp(folder) != NULL);
    buf_printf(&path, "%s/%s", folder, name);
    buf_append(&path, SPAN("\0"));
    FILE *file = fopen(path.data, "we");
    CHECK(file && fwrite(template.at ? template.at : "", 1, template.len, file) == template.len);
    fclose(file);
    if (pages_load(folder, &errors, &warnings, &pages) == 0) {
        struct span found = pages_find(pages, 403, SPAN("de"), html);
        CHECK(span_eq(found, template));
        fill(found, more, html);
    } else {
        CHECK(buf_len(&errors) > 0);
    }
    pages_free(&pages);
    unlink(path.data);
    rmdir(folder);
    buf_fini(&errors);
    buf_fini(&warnings);
    buf_fini(&path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span more = span_of(data, size);
    struct span template = span_cut(&more, '\0');

    load(template, more, size % 2 ? "403.de.html" : "error.txt");
    return 0;
}
