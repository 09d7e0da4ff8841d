/* dns_explain - `larderctl dns explain`: why a client gets this replica. */
#include "base/err.h"
#include "ctl/ask.h"
#include "ctl/show.h"
#include "ctl/verbs.h"

/* ---- the question ---- */

void dns_explain_path(const struct ctl_options *options, const char *name, struct buf *out)
{
    buf_append(out, SPAN("/explain"));
    question_add(out, "name", name);
    question_add(out, "client", options->client);
    question_add(out, "type", options->type);
    buf_append(out, SPAN("\0"));
}

/* ---- the answer ---- */

static bool has_text(const json_t *object, const char *name)
{
    return json_is_string(json_object_get(object, name));
}

static void show_place(const json_t *root, struct buf *out)
{
    show_label(out, "zone");
    if (has_text(root, "zone")) {
        show_string(out, root, "zone");
        buf_printf(out, ": ");
    }
    show_string(out, root, "match");
    if (json_is_true(json_object_get(root, "wildcard")) ||
        (has_text(root, "owner") &&
         strcmp(json_string_value(json_object_get(root, "match")), "a delegation") == 0)) {
        buf_printf(out, ", by ");
        show_string(out, root, "owner");
    }
    buf_printf(out, "\n");
}

static void show_policy(const json_t *root, struct buf *out)
{
    const json_t *policy = json_object_get(root, "policy");
    const json_t *ranking = json_object_get(root, "ranking");

    show_label(out, "policy");
    show_string(out, policy, "kind");
    buf_printf(out, ", ttl %u s", (unsigned)show_number(policy, "ttl"));
    if (json_is_true(json_object_get(root, "redirected"))) {
        buf_printf(out, ", redirected");
    }
    if (has_text(root, "steered") && has_text(root, "name") &&
        strcmp(json_string_value(json_object_get(root, "steered")),
               json_string_value(json_object_get(root, "name"))) != 0) {
        buf_printf(out, ", of the alias ");
        show_string(out, root, "steered");
    }
    buf_printf(out, "\n");
    if (!ranking) {
        return;
    }
    show_label(out, "ranking");
    show_string(out, ranking, "origin");
    if (has_text(ranking, "region")) {
        buf_printf(out, " of ");
        show_string(out, ranking, "region");
    }
    if (has_text(ranking, "prefix")) {
        buf_printf(out, ", ");
        show_string(out, ranking, "prefix");
    }
    buf_printf(out, ", the same for all in the client's /%u\n",
               (unsigned)show_number(ranking, "scope"));
}

static void show_candidate(const json_t *row, size_t place, struct buf *out)
{
    double keeps = json_number_value(json_object_get(row, "keeps"));
    const json_t *share = json_object_get(row, "of_fair_share");
    size_t from = buf_len(out);

    show_label(out, place == 0 ? "replicas" : "");
    buf_printf(out, "%2zu ", place + 1);
    show_string(out, row, "replica");
    size_t used = buf_len(out) - from;
    buf_printf(out, "%*s", used < 32 ? (int)(32 - used) : 1, "");
    show_string(out, row, "verdict");
    if (has_text(row, "why")) {
        buf_printf(out, ": ");
        show_string(out, row, "why");
    }
    if (share) {
        buf_printf(out, " (%.0f %% of its share", 100 * json_number_value(share));
        if (keeps < 1) {
            buf_printf(out, ", keeps %.0f %% of its clients", 100 * keeps);
        }
        buf_printf(out, ")");
    }
    buf_printf(out, "\n");
}

static void show_candidates(const json_t *root, struct buf *out)
{
    const json_t *list = json_object_get(root, "candidates");

    for (size_t i = 0; i < json_array_size(list); i++) {
        show_candidate(json_array_get(list, i), i, out);
    }
    show_label(out, "choice");
    show_string(out, root, "level");
    if (json_is_true(json_object_get(root, "spilled"))) {
        buf_printf(out, "; a better one was too full for this client");
    }
    if (json_is_true(json_object_get(root, "explored"))) {
        buf_printf(out, "; the first one is to be measured");
    }
    buf_printf(out, "\n");
}

/* The name exists, but has no records of the type that was asked for. */
static bool has_not_type(const json_t *root, const json_t *answer)
{
    const char *match = json_string_value(json_object_get(root, "match"));

    return match && strcmp(match, "the name") == 0 &&
           json_array_size(json_object_get(answer, "records")) == 0;
}

static void show_answer(const json_t *root, struct buf *out)
{
    const json_t *answer = json_object_get(root, "answer");
    const json_t *records = json_object_get(answer, "records");

    show_label(out, "answer");
    if (json_is_true(json_object_get(root, "resolved"))) {
        buf_printf(out, "what the resolver finds\n");
        return;
    }
    show_string(out, answer, "rcode");
    buf_printf(out, ", scope %u%s\n", (unsigned)show_number(root, "scope"),
               has_not_type(root, answer) ? ", no records of this type" : "");
    for (size_t i = 0; i < json_array_size(records); i++) {
        const json_t *record = json_array_get(records, i);
        show_label(out, "");
        show_string(out, record, "name");
        buf_printf(out, " %u ", (unsigned)show_number(record, "ttl"));
        show_string(out, record, "type");
        buf_printf(out, " ");
        show_string(out, record, "data");
        buf_printf(out, "\n");
    }
}

int dns_explain_render(struct span json, struct buf *out)
{
    json_t *root = json_loadb(json.at ? json.at : "", json.len, 0, NULL);

    if (!has_text(root, "name") || !has_text(root, "match")) {
        json_decref(root);
        return ERR_SYNTAX;
    }
    show_label(out, "question");
    show_string(out, root, "name");
    buf_printf(out, " ");
    show_string(out, root, "type");
    buf_printf(out, " for ");
    show_string(out, root, "client");
    buf_printf(out, "\n");
    show_place(root, out);
    if (json_object_get(root, "policy")) {
        show_policy(root, out);
        show_candidates(root, out);
    }
    show_answer(root, out);
    json_decref(root);
    return 0;
}

int verb_dns_explain(const struct ctl_options *options)
{
    struct buf path = BUF_INIT;

    dns_explain_path(options, options->operands[1], &path);
    const struct question question = {
        .path = path.data, .render = dns_explain_render, .who = "no larder-dns that explains"};
    int status = ask(options, &question);
    buf_fini(&path);
    return status;
}
