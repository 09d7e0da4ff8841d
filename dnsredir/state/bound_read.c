#include "dnsredir/state/bound_read.h"

#include "base/err.h"
#include "base/log.h"
#include "dnsredir/state/update_job.h"

struct reading {
    struct statedb **db;
    const struct bound *was; /* NULL: nothing was read before */
    struct bound *bound;
    const struct list *jobs;
};

/* A name is read again together with others of which one has changed; a name that was logged as
 * too large before is not logged again. */
static void add_bound(void *arg, struct span key, struct span value)
{
    const struct reading *reading = arg;
    char text[NAME_TEXT_MAX];
    struct name name;

    if (!bound_add(reading->bound, key, value)) {
        bound_set_damaged(reading->bound);
        return;
    }
    name_load(&name, (const uint8_t *)key.at);
    if (bound_is_unknown(reading->bound, &name) && !bound_is_unknown(reading->was, &name)) {
        log_warn("bound_name_too_large", "name=%s next=%s", name_text(&name, text),
                 "it is answered SERVFAIL until an update deletes some of its records");
    }
}

static void add_serial(void *arg, struct span key, struct span value)
{
    const struct reading *reading = arg;
    struct wire_in in = wire_in_of(value.at ? value.at : "", value.len);
    uint32_t serial = wire_get_u32(&in);

    if (in.failed || !bound_add_serial(reading->bound, key, serial)) {
        bound_set_damaged(reading->bound);
    }
}

static int read_all(void *arg)
{
    struct reading *reading = arg;
    struct statedb *db = *reading->db;
    int err = statedb_begin(db);

    if (!err) {
        err = statedb_each(db, STATEDB_BOUND, add_bound, reading);
        int serials_err = statedb_each(db, STATEDB_SERIALS, add_serial, reading);
        err = err ? err : serials_err;
    }
    statedb_abort(db);
    return err;
}

struct bound *bound_read(struct statedb **db)
{
    struct bound *bound = bound_new();
    struct reading reading = {.db = db, .bound = bound};

    if (!*db || statedb_work(db, read_all, &reading)) {
        bound_set_damaged(bound);
    }
    return bound;
}

/* Reads the records that one table has under a name. */
static void read_name(struct reading *reading, enum statedb_table table, const struct name *name,
                      void (*add)(void *arg, struct span key, struct span value))
{
    struct span key = span_of(name->at, name->len);
    struct span value;
    int err = statedb_get(*reading->db, table, key, &value);

    if (!err) {
        add(reading, key, value);
    } else if (err != ERR_NOT_FOUND) {
        bound_set_damaged(reading->bound);
    }
}

static void add_name(void *arg, struct bound *bound, const struct name *name)
{
    (void)bound; /* it is the one that is read into */
    read_name(arg, STATEDB_BOUND, name, add_bound);
    read_name(arg, STATEDB_SERIALS, name, add_serial);
}

static void renew_name(void *arg, const struct name *name)
{
    const struct reading *reading = arg;
    bound_renew(reading->bound, name, add_name, arg);
}

static int read_changed(void *arg)
{
    const struct reading *reading = arg;
    int err = statedb_begin(*reading->db);

    if (err) {
        return err;
    }
    list_each(link, reading->jobs)
    {
        const struct update_job *job = list_entry(link, struct update_job, link);
        if (job->changed) {
            update_job_each_name(job, renew_name, arg);
        }
    }
    statedb_abort(*reading->db);
    return 0;
}

int bound_reread(struct statedb **db, const struct bound *was, const struct list *jobs,
                 struct bound **out)
{
    struct reading reading = {db, was, bound_copy(was), jobs};
    int err = statedb_work(db, read_changed, &reading);

    if (err) {
        bound_unref(&reading.bound);
    }
    *out = reading.bound;
    return err;
}
