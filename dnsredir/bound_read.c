#include "dnsredir/bound_read.h"

#include "base/err.h"
#include "base/log.h"
#include "dnsredir/errand.h"

struct reading {
    struct statedb **db;
    struct bound *bound;
    const struct list *errands;
};

static void add_bound(void *arg, struct span key, struct span value)
{
    char text[NAME_TEXT_MAX];
    struct name name;

    if (!bound_add(arg, key, value)) {
        bound_set_damaged(arg);
        return;
    }
    name_load(&name, (const uint8_t *)key.at);
    if (bound_is_unknown(arg, &name)) {
        log_warn("bound_name_too_large", "name=%s next=%s", name_text(&name, text),
                 "it is answered SERVFAIL until an update deletes some of its records");
    }
}

static void add_serial(void *arg, struct span key, struct span value)
{
    struct wire_in in = wire_in_of(value.at ? value.at : "", value.len);
    uint32_t serial = wire_get_u32(&in);

    if (in.failed || !bound_add_serial(arg, key, serial)) {
        bound_set_damaged(arg);
    }
}

static int read_all(void *arg)
{
    const struct reading *reading = arg;
    struct statedb *db = *reading->db;
    int err = statedb_begin(db);

    if (!err) {
        err = statedb_each(db, STATEDB_BOUND, add_bound, reading->bound);
        int serials_err = statedb_each(db, STATEDB_SERIALS, add_serial, reading->bound);
        err = err ? err : serials_err;
    }
    statedb_abort(db);
    return err;
}

struct bound *bound_read(struct statedb **db)
{
    struct bound *bound = bound_new();
    struct reading reading = {db, bound, NULL};

    if (!*db || statedb_work(db, read_all, &reading)) {
        bound_set_damaged(bound);
    }
    return bound;
}

/* What one table has under a name. */
static void read_name(struct statedb *db, enum statedb_table table, const struct name *name,
                      void (*add)(void *arg, struct span key, struct span value),
                      struct bound *bound)
{
    struct span key = span_of(name->at, name->len);
    struct span value;
    int err = statedb_get(db, table, key, &value);

    if (!err) {
        add(bound, key, value);
    } else if (err != ERR_NOT_FOUND) {
        bound_set_damaged(bound);
    }
}

static void add_name(void *arg, struct bound *bound, const struct name *name)
{
    const struct reading *reading = arg;

    read_name(*reading->db, STATEDB_BOUND, name, add_bound, bound);
    read_name(*reading->db, STATEDB_SERIALS, name, add_serial, bound);
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
    list_each(link, reading->errands)
    {
        const struct errand *errand = list_entry(link, struct errand, link);
        if (errand->changed) {
            errand_each_name(errand, renew_name, arg);
        }
    }
    statedb_abort(*reading->db);
    return 0;
}

int bound_reread(struct statedb **db, struct bound *bound, const struct list *errands)
{
    struct reading reading = {db, bound, errands};

    return statedb_work(db, read_changed, &reading);
}
