#include "proxy/access/users.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "http/chars.h"
#include "proxy/access/passwords.h"

#include <stdatomic.h>

enum { NAME_MAX_LEN = 255, GROUPS_MAX_LEN = 4096 };

struct known {
    struct map_link link;
    struct user user;
    struct known *next; /* in the order of the file */
};

struct users {
    atomic_int refs;
    struct sip_key key;
    struct arena memory;
    struct map map;
    struct known *first, **last;
    struct known **all;
};

/* ---- life ---- */

struct users *users_ref(struct users *users)
{
    atomic_fetch_add_explicit(&users->refs, 1, memory_order_relaxed);
    return users;
}

void users_unref(struct users **slot)
{
    struct users *users = *slot;

    *slot = NULL;
    if (users && atomic_fetch_sub_explicit(&users->refs, 1, memory_order_acq_rel) == 1) {
        map_fini(&users->map);
        arena_fini(&users->memory);
        free(users);
    }
}

/* ---- looking ---- */

static struct known *find(const struct users *users, struct span name)
{
    struct map_link *link = map_first(&users->map, sip_hash64(&users->key, name));

    while (link && !span_eq(((struct known *)(void *)link)->user.name, name)) {
        link = map_next(link);
    }
    return (struct known *)(void *)link;
}

size_t users_count(const struct users *users)
{
    return users->map.count;
}

const struct user *users_find(const struct users *users, struct span name)
{
    const struct known *known = find(users, name);
    return known ? &known->user : NULL;
}

struct span users_decoy(const struct users *users, struct span name)
{
    size_t count = users_count(users);
    return count ? users->all[sip_hash64(&users->key, name) % count]->user.hash : SPAN_EMPTY;
}

bool user_is_in(const struct user *user, struct span group)
{
    struct span rest = user->groups;

    while (rest.len) {
        if (span_eq(span_cut(&rest, ' '), group)) {
            return true;
        }
    }
    return false;
}

/* ---- reading ---- */

static struct span next_line(struct span *text)
{
    struct span line = span_cut(text, '\n');

    line = span_ends(line, SPAN("\r")) ? span_take(line, line.len - 1) : line;
    struct span trimmed = span_trim(line);
    return span_starts(trimmed, SPAN("#")) ? SPAN_EMPTY : trimmed;
}

static void add_user(struct users *users, struct span name, struct span hash)
{
    struct known *known = arena_zalloc(&users->memory, sizeof(*known));

    known->user.name = arena_copy(&users->memory, name);
    known->user.hash = arena_copy(&users->memory, hash);
    *users->last = known;
    users->last = &known->next;
    map_insert(&users->map, &known->link, sip_hash64(&users->key, name));
}

/* "name:hash"; further columns of htpasswd are ignored. Hashes are never shown. */
static void read_user(struct users *users, struct span line, size_t number,
                      struct file_errors *errors)
{
    struct span rest = line;
    struct span name = span_cut(&rest, ':');
    struct span hash = span_cut(&rest, ':');

    if (name.len == line.len) {
        file_complain(errors, number, "no colon; expected NAME:HASH as htpasswd writes it");
    } else if (name.len == 0 || name.len > NAME_MAX_LEN || chars_have_control(name)) {
        file_complain(errors, number, "no name of at most %d bytes before the colon", NAME_MAX_LEN);
    } else if (find(users, name)) {
        file_complain(errors, number, "\"%.*s\" is listed twice; expected one line for each name",
                      SPAN_ARGS(name));
    } else if (password_fault(hash)) {
        file_complain(errors, number,
                      "the password of \"%.*s\" cannot be checked: %s; expected a hash from "
                      "htpasswd -B or mkpasswd",
                      SPAN_ARGS(name), password_fault(hash));
    } else {
        add_user(users, name, hash);
    }
}

static void add_group(struct users *users, struct known *known, struct span group)
{
    if (!user_is_in(&known->user, group)) {
        known->user.groups = arena_printf(&users->memory, "%.*s%.*s ",
                                          SPAN_ARGS(known->user.groups), SPAN_ARGS(group));
    }
}

/* "group: name name", as of Apache. */
static void read_group(struct users *users, struct span line, size_t number,
                       struct file_errors *errors, struct buf *warnings)
{
    struct span names = line;
    struct span group = span_trim(span_cut(&names, ':'));

    if (line.len == 0) {
        return;
    }
    if (span_find(line, ':') == line.len || group.len == 0 || group.len > NAME_MAX_LEN ||
        chars_have_control(group) || span_find(group, ' ') < group.len) {
        file_complain(errors, number, "no group; expected NAME: USER USER ...");
        return;
    }
    for (names = span_trim(names); names.len; names = span_trim(names)) {
        struct span name = span_cut(&names, ' ');
        struct known *known = find(users, name);
        if (known == NULL) {
            buf_printf(warnings, "%s:%zu: there is no user \"%.*s\"\n", errors->path, number,
                       SPAN_ARGS(name));
        } else if (known->user.groups.len < GROUPS_MAX_LEN) {
            add_group(users, known, group);
        }
    }
}

static void list_all(struct users *users)
{
    size_t count = 0;

    users->all = arena_alloc(&users->memory, users->map.count * sizeof(struct known *));
    for (struct known *known = users->first; known; known = known->next) {
        users->all[count++] = known;
    }
    CHECK(count == users->map.count);
}

int users_read(const char *file, struct span passwords, const char *groups_file, struct span groups,
               struct buf *errors, struct buf *warnings, struct users **out)
{
    struct users *users = xcalloc(1, sizeof(*users));
    struct file_errors first = {.path = file, .out = errors};
    struct file_errors second = {.path = groups_file, .out = errors};

    atomic_init(&users->refs, 1);
    users->key = sip_key_random();
    arena_init(&users->memory, NULL, 0);
    map_init(&users->map, 64);
    users->last = &users->first;
    for (size_t number = 1; passwords.len; number++) {
        struct span line = next_line(&passwords);
        if (line.len) {
            read_user(users, line, number, &first);
        }
    }
    list_all(users);
    for (size_t number = 1; groups.len; number++) {
        read_group(users, next_line(&groups), number, &second, warnings);
    }
    int err = file_errors_end(&first);
    int other = file_errors_end(&second);
    err = err ? err : other;
    if (err) {
        users_unref(&users);
    }
    *out = users;
    return err;
}
