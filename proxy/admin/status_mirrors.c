/* status_mirrors - mirrors in /status and /metrics. */
#include "proxy/admin/decision_json.h"
#include "proxy/admin/status_parts.h"

/* The counts of all workers; borrowed from them. */
struct mirror_owners {
    const struct mirror_counts *at[STATUS_WORKERS_MAX];
    size_t count;
};

static void find_owners(struct server *server, struct mirror_owners *out)
{
    size_t count = server_worker_count(server);

    out->count = count < STATUS_WORKERS_MAX ? count : STATUS_WORKERS_MAX;
    for (size_t i = 0; i < out->count; i++) {
        out->at[i] = &server_worker(server, i)->mirrors;
    }
}

void status_mirror_metrics(struct server *server, struct buf *out)
{
    struct mirror_owners owners;

    find_owners(server, &owners);
    mirror_counts_write(owners.at, owners.count, out);
}

static json_t *mirror_json(const struct mirror *mirror, const struct mirror_owners *owners)
{
    struct mirror_sum sum = mirror_counts_sum(owners->at, owners->count, mirror->path);
    json_t *row = json_object();

    json_object_set_new(row, "path", text_json(mirror->path));
    json_object_set_new(row, "origin", text_json(mirror->origin));
    json_object_set_new(row, "requests", json_integer((json_int_t)sum.requests));
    json_object_set_new(row, "hits", json_integer((json_int_t)sum.hits));
    json_object_set_new(row, "bytes", json_integer((json_int_t)sum.sent_bytes));
    json_object_set_new(row, "hit_bytes", json_integer((json_int_t)sum.hit_sent_bytes));
    return row;
}

json_t *status_mirrors_json(struct server *server)
{
    const struct settings *settings = server_settings(server);
    struct mirror_owners owners;
    json_t *list = json_array();

    find_owners(server, &owners);
    for (size_t i = 0; i < settings->mirror_count; i++) {
        json_array_append_new(list, mirror_json(&settings->mirrors[i], &owners));
    }
    return list;
}
