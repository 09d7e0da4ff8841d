/* Files of users and groups, parted by a line "%": who is taken is found, and in its groups. */
#include "base/check.h"
#include "proxy/access/users.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void find_all(const struct users *users, struct span passwords)
{
    while (passwords.len) {
        struct span line = span_trim(span_cut(&passwords, '\n'));
        struct span name = span_cut(&line, ':');
        const struct user *user = users_find(users, name);
        CHECK(user == NULL || (span_eq(user->name, name) && user->hash.len > 0));
        CHECK(users_count(users) == 0 || users_decoy(users, name).len > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span groups = span_of(data, size);
    struct span passwords = span_cut(&groups, '%');
    struct buf errors = BUF_INIT, warnings = BUF_INIT;
    struct users *users;

    if (users_read("p", passwords, "g", groups, &errors, &warnings, &users) == 0) {
        CHECK(buf_len(&errors) == 0);
        find_all(users, passwords);
    } else {
        CHECK(buf_len(&errors) > 0 && users == NULL);
    }
    users_unref(&users);
    buf_fini(&errors);
    buf_fini(&warnings);
    return 0;
}
