#include "ctl/ask.h"

#include "base/err.h"
#include "ctl/fetch.h"

#include <stdio.h>
#include <time.h>

/* ---- the question ---- */

static bool is_unreserved(char c)
{
    char lower = ascii_lower(c);

    return (lower >= 'a' && lower <= 'z') || ascii_is_digit(c) || (c && strchr("-._~/:*", c));
}

void question_add(struct buf *path, const char *name, const char *value)
{
    struct span text = buf_span(path);

    if (value == NULL) {
        return;
    }
    buf_printf(path, "%c%s=", span_find(text, '?') < text.len ? '&' : '?', name);
    for (; *value; value++) {
        buf_printf(path, is_unreserved(*value) ? "%c" : "%%%02X", (unsigned char)*value);
    }
}

/* ---- asking ---- */

/* How often, and how many ms apart, an incomplete answer is asked for again. */
enum { PATIENCE = 10, STEP_MS = 200 };

static int fetch_ripe(const char *admin, const struct question *question, struct buf *body,
                      struct buf *why)
{
    struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    int err = fetch(admin, question->path, body, why);

    for (int i = 0; !err && i < PATIENCE && question->is_early; i++) {
        if (!question->is_early(buf_span(body))) {
            break;
        }
        nanosleep(&step, NULL);
        buf_clear(body);
        err = fetch(admin, question->path, body, why);
    }
    return err;
}

/* Prints what the proxy says is wrong with the question. */
static int say_refusal(struct span json)
{
    struct buf text = BUF_INIT;

    if (!fetch_error(json, &text)) {
        buf_printf(&text, "the request was refused");
    }
    fprintf(stderr, "larderctl: %.*s\n", SPAN_ARGS(buf_span(&text)));
    buf_fini(&text);
    return CTL_USAGE;
}

static int say_why_not(struct span why)
{
    fprintf(stderr, "larderctl: %.*s\n", SPAN_ARGS(why));
    return CTL_BAD;
}

static int show(struct span text)
{
    fwrite(text.at, 1, text.len, stdout);
    return CTL_GOOD;
}

int ask(const struct ctl_options *options, const struct question *question)
{
    struct buf body = BUF_INIT, text = BUF_INIT;

    int err = fetch_ripe(options->admin, question, &body, &text);
    if (!err && question->render(buf_span(&body), &text) != 0) {
        buf_clear(&text);
        buf_printf(&text, "what answers on %s is %s", options->admin, question->who);
        err = ERR_SYNTAX;
    }
    int status = err == ERR_REFUSED ? say_refusal(buf_span(&body))
                 : err              ? say_why_not(buf_span(&text))
                                    : show(buf_span(options->json ? &body : &text));
    buf_fini(&body);
    buf_fini(&text);
    return status;
}
