#include "base/folder_lock.h"

#include "base/err.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

Test(folder_lock, one_at_a_time)
{
    char parent[] = "/tmp/larder-folder-lock-XXXXXX", folder[64], file[80];
    int fd = -1, other = -1;

    cr_assert(mkdtemp(parent) != NULL);
    snprintf(folder, sizeof(folder), "%s/state", parent);
    snprintf(file, sizeof(file), "%s/lock", folder);
    cr_assert_eq(folder_lock(folder, "lock", &fd), 0, "the folder is made");
    cr_expect_eq(folder_lock(folder, "lock", &other), ERR_BUSY);
    cr_expect_eq(other, -1, "nothing to close");
    close(fd);
    cr_expect_eq(folder_lock(folder, "lock", &other), 0, "given up");
    close(other);
    unlink(file);
    rmdir(folder);
    rmdir(parent);
}

Test(folder_lock, no_parent)
{
    int fd = -1;

    cr_expect_eq(folder_lock("/nonexistent/state", "lock", &fd), -ENOENT);
    cr_expect_eq(fd, -1);
}
