/* larderctl purge: removes stored responses of URLs, below a prefix, of a host, or all. */
#include "ctl/ask.h"
#include "ctl/fetch.h"
#include "ctl/show.h"
#include "ctl/verbs.h"

#include "base/err.h"

#include <stdio.h>

/* ---- as text ---- */

static void show_counted(struct buf *out, const json_t *root)
{
    uint64_t responses = show_number(root, "responses");
    bool varies = json_is_true(json_object_get(root, "varies"));

    buf_printf(out, "purged: ");
    show_count(out, responses);
    buf_printf(out, varies ? " variant%s, " : " response%s, ", responses == 1 ? "" : "s");
    show_count(out, show_number(root, "bytes"));
    buf_printf(out, " bytes");
}

static void show_mirrors(struct buf *out, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        buf_printf(out, i ? ", " : " (mirror ");
        show_text(out, json_string_value(json_array_get(list, i)));
    }
    buf_printf(out, json_array_size(list) ? ")" : "");
}

static void show_scope(struct buf *out, const char *scope)
{
    buf_printf(out, "purged: %s",
               strcmp(scope, "prefix") == 0 ? "everything with this prefix"
               : strcmp(scope, "host") == 0 ? "everything of this host"
                                            : "everything");
}

int purge_render(struct span json, const char *what, struct buf *out)
{
    json_t *root = json_loadb(json.at ? json.at : "", json.len, 0, NULL);
    const char *program = json_string_value(json_object_get(root, "program"));
    const char *scope = json_string_value(json_object_get(root, "scope"));

    if (program == NULL || strcmp(program, "larder-proxy") != 0) {
        json_decref(root);
        return ERR_SYNTAX;
    }
    if (what) {
        show_text(out, what);
        buf_printf(out, ": ");
    }
    if (scope) {
        show_scope(out, scope);
    } else if (json_is_true(json_object_get(root, "stored"))) {
        show_counted(out, root);
    } else {
        buf_printf(out, "was not stored");
    }
    show_mirrors(out, json_object_get(root, "mirrors"));
    buf_printf(out, "%s\n",
               show_number(root, "fetches") ? "; what is on its way will not be stored" : "");
    json_decref(root);
    return 0;
}

/* ---- asking ---- */

static void say(const char *what, struct span why)
{
    struct buf text = BUF_INIT;

    if (what) {
        show_text(&text, what);
        buf_printf(&text, ": ");
    }
    fprintf(stderr, "larderctl: %.*s%.*s\n", SPAN_ARGS(buf_span(&text)), SPAN_ARGS(why));
    buf_fini(&text);
}

/* Prints the error that the proxy reports, or else `why`. */
static void say_error(const char *what, struct span body, struct span why)
{
    struct buf error = BUF_INIT;

    if (fetch_error(body, &error)) {
        why = buf_span(&error);
    }
    say(what, why.len ? why : SPAN("the request was refused"));
    buf_fini(&error);
}

/* Sends one request. *there: the proxy has answered. */
static int purge(const struct ctl_options *options, const char *name, const char *what, bool *there)
{
    struct buf path = BUF_INIT, body = BUF_INIT, text = BUF_INIT;

    purge_path(options, name, what, &path);
    int err = fetch_post(options->admin, path.data, &body, &text);
    *there = !err || err == ERR_REFUSED || err == ERR_BUSY;
    if (!err && purge_render(buf_span(&body), what, &text) != 0) {
        buf_printf(&text, "what answers on %s is no larder-proxy that purges", options->admin);
        *there = false;
        err = ERR_SYNTAX;
    }
    if (err) {
        say_error(*there ? what : NULL, *there ? buf_span(&body) : SPAN_EMPTY, buf_span(&text));
    } else {
        struct span shown = buf_span(options->json ? &body : &text);
        fwrite(shown.at, 1, shown.len, stdout);
    }
    buf_fini(&path);
    buf_fini(&body);
    buf_fini(&text);
    return !err ? CTL_GOOD : err == ERR_REFUSED ? CTL_USAGE : CTL_BAD;
}

void purge_path(const struct ctl_options *options, const char *name, const char *value,
                struct buf *out)
{
    buf_append(out, SPAN("/purge"));
    question_add(out, name, value ? value : "yes");
    for (size_t i = 0; i < options->field_count; i++) {
        question_add(out, "header", options->fields[i]);
    }
    buf_append(out, SPAN("\0"));
}

static int purge_urls(const struct ctl_options *options)
{
    int worst = CTL_GOOD;
    bool there = true;

    for (size_t i = 0; i < options->operand_count && there; i++) {
        int status = purge(options, "url", options->operands[i], &there);
        worst = status > worst ? status : worst;
    }
    return worst;
}

int verb_purge(const struct ctl_options *options)
{
    int ways = (options->operand_count > 0) + (options->prefix != NULL) + (options->host != NULL) +
               options->all;
    bool there;

    if (ways != 1) {
        say(NULL, SPAN("purge takes URLs, or --prefix URL, --host NAME or --all: one of them"));
        return CTL_USAGE;
    }
    if (options->field_count > 0 && (options->host || options->all)) {
        say(NULL, SPAN("-H is for URLs and --prefix"));
        return CTL_USAGE;
    }
    if (options->prefix) {
        return purge(options, "prefix", options->prefix, &there);
    }
    if (options->host) {
        return purge(options, "host", options->host, &there);
    }
    return options->all ? purge(options, "all", NULL, &there) : purge_urls(options);
}
