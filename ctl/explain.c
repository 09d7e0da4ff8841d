/* explain - `larderctl explain`: how the proxy would answer a request, and why. */
#include "ctl/ask.h"
#include "ctl/verbs.h"

void explain_path(const struct ctl_options *options, struct buf *out)
{
    buf_append(out, SPAN("/explain"));
    question_add(out, "url", options->operand);
    question_add(out, "method", options->method);
    question_add(out, "client", options->client);
    question_add(out, "user", options->user);
    for (size_t i = 0; i < options->field_count; i++) {
        question_add(out, "header", options->fields[i]);
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
