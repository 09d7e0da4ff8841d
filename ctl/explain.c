#include "ctl/fetch.h"
#include "ctl/verbs.h"

#include "base/err.h"

#include <jansson.h>
#include <stdio.h>

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
    for (size_t i = 0; i < options->field_count; i++) {
        add(out, "header", options->fields[i]);
    }
    buf_append(out, SPAN("\0"));
}

/* ---- the answer ---- */

/* The proxy says what is wrong with the question. */
static void say_error(struct span json)
{
    json_t *root = json_loadb(json.at ? json.at : "", json.len, 0, NULL);
    const char *error = json_string_value(json_object_get(root, "error"));

    fprintf(stderr, "larderctl: %s\n", error ? error : "the question was refused");
    json_decref(root);
}

int verb_explain(const struct ctl_options *options)
{
    const char *admin = options->admin ? options->admin : FETCH_DEFAULT_ADMIN;
    struct buf path = BUF_INIT, body = BUF_INIT, text = BUF_INIT;
    int status = CTL_BAD;

    explain_path(options, &path);
    int err = fetch(admin, path.data, &body, &text);
    if (!err && explain_render(buf_span(&body), &text) != 0) {
        buf_printf(&text, "what answers on %s is no larder-proxy that explains", admin);
        err = ERR_SYNTAX;
    }
    if (err == ERR_REFUSED) {
        say_error(buf_span(&body));
        status = CTL_USAGE;
    } else if (err) {
        fprintf(stderr, "larderctl: %.*s\n", SPAN_ARGS(buf_span(&text)));
    } else {
        struct span shown = buf_span(options->json ? &body : &text);
        fwrite(shown.at, 1, shown.len, stdout);
        status = CTL_GOOD;
    }
    buf_fini(&path);
    buf_fini(&body);
    buf_fini(&text);
    return status;
}
