#include "ctl/ask.h"
#include "ctl/verbs.h"

/* ---- the question ---- */

static bool is_unreserved(char c)
{
    char lower = ascii_lower(c);

    return (lower >= 'a' && lower <= 'z') || ascii_is_digit(c) || (c && strchr("-._~/:", c));
}

static void add(struct buf *out, const char *name, const char *value)
{
    bool first = span_ends(buf_span(out), SPAN("/explain"));

    if (value == NULL) {
        return;
    }
    buf_printf(out, "%s%s=", first ? "?" : "&", name);
    for (; *value; value++) {
        buf_printf(out, is_unreserved(*value) ? "%c" : "%%%02X", (unsigned char)*value);
    }
}

void explain_path(const struct ctl_options *options, struct buf *out)
{
    buf_append(out, SPAN("/explain"));
    add(out, "url", options->operand);
    add(out, "method", options->method);
    add(out, "client", options->client);
    add(out, "user", options->user);
    for (size_t i = 0; i < options->field_count; i++) {
        add(out, "header", options->fields[i]);
    }
    buf_append(out, SPAN("\0"));
}

int verb_explain(const struct ctl_options *options)
{
    struct buf path = BUF_INIT;

    explain_path(options, &path);
    const struct question question = {
        .path = path.data, .render = explain_render, .who = "no larder-proxy that explains"};
    int status = ask(options, &question);
    buf_fini(&path);
    return status;
}
