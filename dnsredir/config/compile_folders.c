/* compile_folders - checks that the state and the query log can be where they are configured. */
#include "base/check.h"
#include "dnsredir/config/compile_parts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

/* The parent folder: "/a" for "/a/b" and "/a/b/". */
static void folder_of(const char *path, char out[PATH_MAX])
{
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    while (len > 0 && path[len - 1] != '/') {
        len--;
    }
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    snprintf(out, PATH_MAX, "%.*s", (int)len, path);
    if (len == 0) {
        snprintf(out, PATH_MAX, ".");
    }
}

/* The last folder of the path is created if it is missing. A path that cannot be examined may be
 * right. */
void compile_check_state(struct compiler *c)
{
    const char *path = c->settings->state;
    char above[PATH_MAX];
    struct stat about;

    if (!path) {
        return;
    }
    if (stat(path, &about) == 0) {
        if (!S_ISDIR(about.st_mode)) {
            COMPLAIN(c, "state", 0, "%s is not a folder; expected one, or an unused name", path);
        }
        return;
    }
    folder_of(path, above);
    if (errno == ENOENT && stat(above, &about) < 0 && errno == ENOENT) {
        COMPLAIN(c, "state", 0,
                 "the folder %s, where it would be made, does not exist; expected one that does",
                 above);
    } else if (errno == ENOTDIR || (errno == ENOENT && !S_ISDIR(about.st_mode))) {
        COMPLAIN(c, "state", 0, "%s is in no folder; expected a folder in one that is there", path);
    }
}

void compile_check_log(struct compiler *c)
{
    const char *path = c->settings->log.queries;
    const struct conf_at *outer = compile_enter(c, "log", 0);
    char above[PATH_MAX];
    struct stat about;

    if (path && strcmp(path, "-") != 0) {
        folder_of(path, above);
        if (stat(path, &about) == 0 && S_ISDIR(about.st_mode)) {
            COMPLAIN(c, "queries", 0, "%s is a folder; expected a file", path);
        } else if (stat(above, &about) == 0 ? !S_ISDIR(about.st_mode)
                                            : errno == ENOENT || errno == ENOTDIR) {
            COMPLAIN(c, "queries", 0, "there is no folder %s; expected one that exists", above);
        }
    }
    compile_leave(c, outer);
}
