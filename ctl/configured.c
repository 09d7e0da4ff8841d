#include "ctl/configured.h"

#include "base/err.h"
#include "ctl/show.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static void say(struct buf *why, const char *file, const char *what, const char *more)
{
    buf_printf(why, "larderctl: the configuration ");
    show_text(why, file);
    buf_printf(why, " %s%s\n", what, more);
}

/* 0 or -errno. */
static int try_to_read(const char *file)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    char byte;
    int err = fd < 0 || read(fd, &byte, 1) < 0 ? -errno : 0;

    if (fd >= 0) {
        close(fd);
    }
    return err;
}

static int load(const char *file, struct settings **out, struct buf *why)
{
    char program[] = "larderctl", option[] = "--config", path[PATH_MAX];
    char *arguments[] = {program, option, path, NULL};

    snprintf(path, sizeof(path), "%s", file); /* it could be opened, so its path is short enough */
    return settings_load(3, arguments, why, out);
}

int configured_stores(const char *file, struct settings **out, struct buf *why)
{
    int err = try_to_read(file);

    *out = NULL;
    if (err) {
        say(why, file, "cannot be read: ", err_text(err));
        return err;
    }
    err = load(file, out, why);
    if (err) {
        say(why, file, "has errors, so it is not known what it names", "");
        return err;
    }
    if ((*out)->store_count == 0) {
        say(why, file, "names no store: the proxy has its objects in memory only", "");
        settings_unref(out);
        return ERR_NOT_FOUND;
    }
    return 0;
}
