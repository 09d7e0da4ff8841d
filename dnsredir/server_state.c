#include "dnsredir/server_state.h"

#include "base/err.h"

static void on_change(void *arg, struct dynamic_records *fresh)
{
    struct server_state *state = arg;

    dynamic_unref(&state->dynamic);
    state->dynamic = fresh;
    state->changed(state->arg);
}

static void on_drain(void *arg, uint64_t ticket, bool good)
{
    const struct server_state *state = arg;
    state->remembered(state->arg, ticket, good);
}

static void on_drained(void *arg, struct span name)
{
    roster_remember(arg, name);
}

int state_open(struct server_state *state, const struct settings *settings, struct publish *publish,
               uv_loop_t *loop, struct roster *roster)
{
    const struct updater_plan plan = {
        .dir = settings->state,
        .publish = publish,
        .reader = settings->workers,
        .loop = loop,
        .on_change = on_change,
        .on_drain = on_drain,
        .arg = state,
    };

    if (!plan.dir) {
        return 0;
    }
    int err = updater_open(&plan, &state->updater);
    if (err) {
        log_error("state_failed", "state=%s err=%s", plan.dir, err_text(err));
        return err;
    }
    state->dynamic = updater_dynamic(state->updater);
    updater_each_drained(state->updater, on_drained, roster);
    return state->dynamic ? 0 : ERR_CORRUPT;
}
