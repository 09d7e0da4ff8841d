#include "proxy/access/set.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "http/hostlist.h"
#include "proxy/access/open.h"

enum {
    HOST_FILE_MAX = 1 << 30,
    USERS_FILE_MAX = 64 << 20,
    FEW = 4, /* up to so many prefixes are compared one by one */
};

struct host_file {
    const char *path; /* borrowed from the settings */
    struct file_identity identity;
    struct hostlist *list; /* NULL: could not be read */
};

struct access_set {
    struct settings_part part;
    struct host_file *files;
    size_t file_count;
    struct hostlist **inline_lists; /* lists of rules that name hosts themselves */
    size_t inline_count;
    struct users *users;
    struct pages *pages;
    struct file_identity passwords, groups;
};

static struct access_set *set_of(const struct settings *settings)
{
    return settings && settings->access_set
               ? container_of(settings->access_set, struct access_set, part)
               : NULL;
}

static void set_free(struct settings_part *part)
{
    struct access_set *set = container_of(part, struct access_set, part);

    for (size_t i = 0; i < set->file_count; i++) {
        hostlist_unref(&set->files[i].list);
    }
    for (size_t i = 0; i < set->inline_count; i++) {
        hostlist_unref(&set->inline_lists[i]);
    }
    users_unref(&set->users);
    pages_free(&set->pages);
    free(set->files);
    free(set->inline_lists);
    free(set);
}

/* ---- lists of hosts ---- */

static void complain_line(void *arg, size_t line, struct span text, const char *what)
{
    file_complain(arg, line, "\"%.*s\" is not a host: %s; expected a name such as example.net",
                  (int)(text.len < 80 ? text.len : 80), text.at ? text.at : "", what);
}

static int read_list(struct host_file *file, struct buf *errors)
{
    struct file_errors told = {.path = file->path, .out = errors};
    struct buf text = BUF_INIT;
    struct sip_key key = sip_key_random();
    uint64_t begin = clock_mono_ms();
    int err = file_read(file->path, HOST_FILE_MAX, &file->identity, &text, errors);

    if (!err) {
        file->list = hostlist_new(&key);
        hostlist_add_lines(file->list, buf_span(&text), complain_line, &told);
        hostlist_finish(file->list);
        err = file_errors_end(&told);
        log_info("host_file_read", "file=%s names=%zu ms=%llu", file->path,
                 hostlist_count(file->list), (unsigned long long)(clock_mono_ms() - begin));
    }
    buf_fini(&text);
    return err;
}

/* The list in force, if the file has not changed. */
static struct hostlist *unchanged(const struct access_set *before, struct host_file *file)
{
    struct file_identity now;

    for (size_t i = 0; before && i < before->file_count; i++) {
        const struct host_file *old = &before->files[i];
        if (strcmp(old->path, file->path) == 0 && file_identify(file->path, &now) == 0 &&
            file_same(&old->identity, &now)) {
            file->identity = now;
            return hostlist_ref(old->list);
        }
    }
    return NULL;
}

static struct host_file *find_file(struct access_set *set, const char *path)
{
    for (size_t i = 0; i < set->file_count; i++) {
        if (strcmp(set->files[i].path, path) == 0) {
            return &set->files[i];
        }
    }
    return NULL;
}

/* Reads each file once, however many rules name it. */
static int add_file(struct access_set *set, const struct access_set *before, const char *path,
                    struct buf *errors, const struct hostlist **out)
{
    struct host_file *file = find_file(set, path);
    int err = 0;

    if (file == NULL) {
        file = &set->files[set->file_count++];
        file->path = path;
        file->list = unchanged(before, file);
        err = file->list ? 0 : read_list(file, errors);
    }
    *out = file->list;
    return err;
}

static struct hostlist *inline_list(const struct access_rule *rule)
{
    struct sip_key key = sip_key_random();
    struct hostlist *list = hostlist_new(&key);
    const char *what;

    for (size_t i = 0; i < rule->host_count; i++) {
        if (rule->hosts[i].len) {                                  /* else it is reported already */
            CHECK(hostlist_add(list, rule->hosts[i], &what) == 0); /* parsed once already */
        }
    }
    hostlist_finish(list);
    return list;
}

struct making {
    struct access_set *set;
    const struct access_set *before;
    struct settings *settings;
    struct buf *errors, *warnings;
    size_t rules, files; /* at most */
};

static int count_rule(struct making *making, struct access_rule *rule)
{
    making->rules++;
    making->files += rule->host_file_count;
    return 0;
}

static int make_rule(struct making *making, struct access_rule *rule)
{
    struct access_set *set = making->set;
    int err = 0;

    if (rule->from_count > FEW) {
        rule->from_count = prefixes_settle(rule->from, rule->from_count);
        rule->from_is_settled = true;
    }
    rule->list_count = 0;
    rule->lists = arena_alloc(making->settings->memory,
                              (rule->host_file_count + 1) * sizeof(const struct hostlist *));
    if (rule->host_count) {
        set->inline_lists[set->inline_count] = inline_list(rule);
        rule->lists[rule->list_count++] = set->inline_lists[set->inline_count++];
    }
    for (size_t i = 0; i < rule->host_file_count; i++) {
        if (!rule->host_files[i]) {
            continue; /* the same */
        }
        int one = add_file(set, making->before, rule->host_files[i], making->errors,
                           &rule->lists[rule->list_count++]);
        err = err ? err : one;
    }
    return err;
}

/* Calls `call` for each rule and each exception; returns the first error. */
static int for_each_rule(struct making *making,
                         int (*call)(struct making *making, struct access_rule *rule))
{
    struct settings *settings = making->settings;
    int err = 0;

    for (size_t i = 0; i < settings->access_count; i++) {
        struct access_rule *rule = &settings->access[i];
        int one = call(making, rule);
        err = err ? err : one;
        for (size_t n = 0; n < rule->except_count; n++) {
            one = call(making, &rule->except[n]);
            err = err ? err : one;
        }
    }
    return err;
}

static int make_rules(struct making *making)
{
    struct access_set *set = making->set;

    for_each_rule(making, count_rule);
    set->files = xcalloc(making->files, sizeof(*set->files));
    set->inline_lists = xcalloc(making->rules, sizeof(struct hostlist *));
    return for_each_rule(making, make_rule);
}

/* ---- users ---- */

static bool same_path(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_users(const struct settings *settings, const struct settings *before)
{
    const struct access_set *old = set_of(before);
    struct file_identity now;
    const char *file = settings->users.file, *groups = settings->users.groups;

    return old && old->users && same_path(file, before->users.file) &&
           same_path(groups, before->users.groups) && file_identify(file, &now) == 0 &&
           file_same(&now, &old->passwords) &&
           (groups == NULL || (file_identify(groups, &now) == 0 && file_same(&now, &old->groups)));
}

static int read_users(struct access_set *set, const struct settings *settings, struct buf *errors,
                      struct buf *warnings)
{
    const char *file = settings->users.file, *groups = settings->users.groups;
    struct buf passwords = BUF_INIT, members = BUF_INIT;
    int err = file_read(file, USERS_FILE_MAX, &set->passwords, &passwords, errors);
    int other = groups ? file_read(groups, USERS_FILE_MAX, &set->groups, &members, errors) : 0;

    err = err ? err : other;
    if (!err) {
        err = users_read(file, buf_span(&passwords), groups ? groups : "", buf_span(&members),
                         errors, warnings, &set->users);
    }
    if (passwords.data) {
        explicit_bzero(passwords.data, passwords.cap);
    }
    buf_fini(&passwords);
    buf_fini(&members);
    return err;
}

/* Warns of rules that match no user: probably a mistake. */
static int warn_of_nobody(struct making *making, struct access_rule *rule)
{
    for (size_t i = 0; i < rule->user_count; i++) {
        struct span name = rule->users[i];
        if (!span_eq(name, SPAN("*")) && !users_find(making->set->users, name)) {
            buf_printf(making->warnings, "%s: nobody in %s is called \"%.*s\"\n", rule->place,
                       making->settings->users.file, SPAN_ARGS(name));
        }
    }
    return 0;
}

static int make_users(struct making *making, const struct settings *before)
{
    const struct settings *settings = making->settings;
    struct access_set *set = making->set;
    int err = 0;

    if (settings->users.file == NULL) {
        return 0;
    }
    if (same_users(settings, before)) {
        const struct access_set *old = set_of(before);
        set->users = users_ref(old->users);
        set->passwords = old->passwords;
        set->groups = old->groups;
    } else {
        err = read_users(set, settings, making->errors, making->warnings);
    }
    if (err || settings->broken) {
        return err;
    }
    if (users_count(set->users) == 0) {
        buf_printf(making->warnings, "%s: no users in it, so nobody can log in\n",
                   settings->users.file);
    }
    for_each_rule(making, warn_of_nobody);
    return 0;
}

/* ---- all of it ---- */

/* Only a warning, as it may be intended behind a firewall. */
static void warn_if_open(const struct settings *settings, struct buf *warnings)
{
    const struct access_rule *rule = access_open_rule(settings);

    if (rule) {
        buf_printf(
            warnings,
            "%s: an open proxy: anybody who reaches it may use it for any host; name clients "
            "(from), users, or, of a replica, its hosts\n",
            rule->place);
    }
}

int access_set_make(struct settings *settings, const struct settings *before, struct buf *errors,
                    struct buf *warnings)
{
    struct access_set *set = xcalloc(1, sizeof(*set));

    struct making making = {.set = set,
                            .before = set_of(before),
                            .settings = settings,
                            .errors = errors,
                            .warnings = warnings};

    set->part.free = set_free;
    int err = make_rules(&making);
    int other = make_users(&making, before);
    err = err ? err : other;
    if (settings->pages) {
        other = pages_load(settings->pages, errors, warnings, &set->pages);
        err = err ? err : other;
    }
    if (err) {
        set_free(&set->part);
        return err;
    }
    warn_if_open(settings, warnings);
    settings->access_set = &set->part;
    return 0;
}

const struct users *access_set_users(const struct settings *settings)
{
    const struct access_set *set = set_of(settings);
    return set ? set->users : NULL;
}

const struct pages *access_set_pages(const struct settings *settings)
{
    const struct access_set *set = set_of(settings);
    return set ? set->pages : NULL;
}

void access_set_stats(const struct settings *settings, struct access_set_stats *out)
{
    const struct access_set *set = set_of(settings);

    *out = (struct access_set_stats){0};
    if (set == NULL) {
        return;
    }
    out->files = set->file_count;
    for (size_t i = 0; i < set->file_count; i++) {
        out->names += hostlist_count(set->files[i].list);
        out->bytes += hostlist_bytes(set->files[i].list);
    }
    out->users = set->users ? users_count(set->users) : 0;
}
