/* A reload of larder-dns: starts it, waits for the end, and reports the changes. */
#include "ctl/fetch.h"
#include "ctl/reload.h"
#include "ctl/show.h"

#include "base/err.h"

#include <time.h>

enum { STEP_MS = 20, TRIES = 15000 };

struct state {
    bool reloading;
    json_int_t refused;
    json_t *root;
};

static int read_state(struct span body, struct state *out)
{
    json_decref(out->root);
    out->root = json_loadb(body.at ? body.at : "", body.len, 0, NULL);
    out->reloading = json_is_true(json_object_get(out->root, "reloading"));
    out->refused = json_integer_value(json_object_get(out->root, "refused"));
    return json_object_get(out->root, "refused") ? 0 : ERR_SYNTAX;
}

static int ask_state(const char *admin, struct state *out, struct buf *why)
{
    struct buf body = BUF_INIT;
    int err = fetch(admin, "/reload/state", &body, why);

    if (err) {
        buf_printf(why, "\n");
    } else if ((err = read_state(buf_span(&body), out)) != 0) {
        buf_printf(why, "larderctl: what answers there is not larder-dns\n");
    }
    buf_fini(&body);
    return err;
}

/* Waits for the end of the reload: larder-dns reads its files in a thread, which may take long. */
static int await(const char *admin, struct state *state, struct buf *why)
{
    struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    int err = 0;

    for (int i = 0; i < TRIES && !err && state->reloading; i++) {
        nanosleep(&step, NULL);
        err = ask_state(admin, state, why);
    }
    if (!err && state->reloading) {
        buf_printf(why, "larderctl: it still reads its files\n");
        err = ERR_TIMEOUT;
    }
    return err;
}

static int begin(const char *admin, struct state *state, struct buf *why)
{
    struct buf body = BUF_INIT;
    int err = fetch_post(admin, "/reload", &body, why);

    buf_printf(why, "%s", err ? "\n" : "");
    err = err ? err : read_state(buf_span(&body), state);
    buf_fini(&body);
    return err;
}

static void tell_errors(const struct state *state, struct buf *why)
{
    json_t *line;
    size_t i;

    json_array_foreach(json_object_get(state->root, "errors"), i, line)
    {
        show_text(why, json_string_value(line));
        buf_printf(why, "\n");
    }
    buf_printf(why, "larderctl: the configuration has errors; the old one stays in force\n");
}

int reload_dns(const char *admin, struct buf *out, struct buf *why)
{
    struct buf before = BUF_INIT, after = BUF_INIT;
    struct state state = {.reloading = true};
    int err = ask_state(admin, &state, why);
    json_int_t refused = state.refused;

    err = err ? err : fetch(admin, "/config/settings", &before, why);
    err = err ? err : begin(admin, &state, why);
    err = err ? err : await(admin, &state, why);
    if (!err && state.refused > refused) {
        tell_errors(&state, why);
        err = ERR_CONFIG;
    }
    err = err ? err : fetch(admin, "/config/settings", &after, why);
    err = err ? err : diff_settings(buf_span(&before), buf_span(&after), out);
    json_decref(state.root);
    buf_fini(&before);
    buf_fini(&after);
    return err;
}
