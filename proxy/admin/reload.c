#include "proxy/admin/reload.h"

#include "base/conf_json.h"
#include "base/mem.h"
#include "proxy/admin/status_parts.h"

/* ---- as JSON ---- */

static int write_changes(const struct conf_flat *before, const struct conf_flat *after,
                         struct buf *out)
{
    status_write_json(conf_changes_json(before, after), out);
    return 200;
}

static const char has_errors[] = "the configuration has errors; the old one stays in force";

/* 400 with the error lines, and what they mean. */
static int write_errors(struct buf *errors, const char *what, struct buf *out)
{
    json_t *root = json_object(), *list = json_array();
    struct span rest = buf_span(errors);

    json_object_set_new(root, "error", json_string(what));
    while (rest.len) {
        struct span line = span_cut(&rest, '\n');
        json_t *text = json_stringn(line.at, line.len);
        json_array_append_new(list, text ? text : json_string("(not UTF-8)"));
    }
    json_object_set_new(root, "errors", list);
    status_write_json(root, out);
    return 400;
}

/* ---- the pages ---- */

int reload_config(const struct status_query *query, struct buf *out)
{
    settings_print(server_settings(query->server), out);
    return 200;
}

int reload_settings(const struct status_query *query, struct buf *out)
{
    server_write_command(query->server, out);
    conf_write_settings(&server_settings(query->server)->in_force, out);
    return 200;
}

int reload_diff(const struct status_query *query, struct buf *out)
{
    struct server *server = query->server;
    struct buf errors = BUF_INIT;
    struct settings *next;
    int status;

    if (server_load_next(server, &errors, &next) != 0) {
        status = write_errors(&errors, has_errors, out);
    } else {
        status = write_changes(&server_settings(server)->in_force, &next->flat, out);
        settings_unref(&next);
    }
    buf_fini(&errors);
    return status;
}

int reload_now(const struct status_query *query, struct buf *out)
{
    struct server *server = query->server;
    struct settings *old = settings_ref(server_settings(server));
    struct buf errors = BUF_INIT;
    int status;

    if (server_is_draining(server)) {
        buf_printf(out, "{\"error\": \"the proxy is about to end\"}\n");
        status = 503;
    } else if (server_reload(server, &errors) != 0) {
        status = write_errors(&errors, has_errors, out);
    } else {
        status = write_changes(&old->in_force, &server_settings(server)->flat, out);
    }
    settings_unref(&old);
    buf_fini(&errors);
    return status;
}

int reload_logs(const struct status_query *query, struct buf *out)
{
    struct buf errors = BUF_INIT;
    size_t count = server_reopen_logs(query->server, &errors);
    int status = 200;

    if (buf_len(&errors)) {
        status = write_errors(
            &errors,
            "not all access logs could be reopened; the others are, and these go on as before",
            out);
    } else {
        buf_printf(out, "{\"reopened\": %zu}\n", count);
    }
    buf_fini(&errors);
    return status;
}

int reload_state(const struct status_query *query, struct buf *out)
{
    struct server *server = query->server;
    json_t *root = json_object();

    json_object_set_new(root, "taken", json_boolean(server_reload_is_taken(server)));
    json_object_set_new(root, "reloads", json_integer((json_int_t)server_reloads(server)));
    json_object_set_new(root, "refused", json_integer((json_int_t)server_refused_reloads(server)));
    json_object_set_new(root, "settings", json_integer((json_int_t)settings_alive()));
    status_write_json(root, out);
    return 200;
}
