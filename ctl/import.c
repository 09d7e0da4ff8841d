/* larderctl import-squid: reads the file, prints the other one, lists what is not in it. */
#include "ctl/squid.h"
#include "ctl/verbs.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { IMPORT_MAX = 4 << 20 };

/* "-" is standard input. ERR_TOO_LARGE or -errno. */
static int read_file(const char *path, struct buf *out)
{
    bool is_input = strcmp(path, "-") == 0;
    int fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;

    if (fd < 0) {
        return -errno;
    }
    while (n > 0 && buf_len(out) <= IMPORT_MAX) {
        n = read(fd, buf_reserve(out, 65536), 65536);
        buf_commit(out, n > 0 ? (size_t)n : 0);
    }
    int err = n < 0 ? -errno : buf_len(out) > IMPORT_MAX ? ERR_TOO_LARGE : 0;
    if (!is_input) {
        close(fd);
    }
    return err;
}

int verb_import(const struct ctl_options *options)
{
    const char *path = options->operand;
    struct buf text = BUF_INIT, yaml = BUF_INIT, notes = BUF_INIT;
    int err = read_file(path, &text);
    int status = CTL_USAGE;

    if (err) {
        fprintf(stderr, "larderctl: %s cannot be read: %s\n", path, err_text(err));
    } else {
        const char *slash = strrchr(path, '/');
        size_t lost = squid_import(slash ? slash + 1 : path, buf_span(&text), &yaml, &notes);
        fwrite(yaml.data, 1, buf_len(&yaml), stdout);
        fwrite(notes.data ? notes.data : "", 1, buf_len(&notes), stderr);
        if (lost) {
            fprintf(stderr, "larderctl: %zu not translated\n", lost);
        }
        status = lost ? CTL_BAD : CTL_GOOD;
    }
    buf_fini(&text);
    buf_fini(&yaml);
    buf_fini(&notes);
    return status;
}
