#include "tests/unit/proxy/writes.h"

#include <uv.h>

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>

static int tried, queued, from_files, file_error, spliced, splice_error, send_error;
static bool swallows, held_back;

void writes_reset(void)
{
    tried = 0;
    queued = 0;
    from_files = 0;
    spliced = 0;
}

void writes_refuse(int error)
{
    send_error = error;
}

int writes_tried(void)
{
    return tried;
}

int writes_queued(void)
{
    return queued;
}

int writes_spliced(void)
{
    return spliced;
}

void writes_fail_splice(int error)
{
    splice_error = error;
}

int writes_from_files(void)
{
    return from_files;
}

void writes_fail_file(int error)
{
    file_error = error;
}

void writes_swallow_file(void)
{
    swallows = true;
}

bool writes_held_back(void)
{
    return held_back;
}

ssize_t __real_sendfile64(int out, int in, off_t *offset, size_t count);
ssize_t __wrap_sendfile64(int out, int in, off_t *offset, size_t count);
ssize_t __wrap_sendfile64(int out, int in, off_t *offset, size_t count)
{
    from_files++;
    if (file_error) {
        errno = file_error;
        file_error = 0;
        return -1;
    }
    if (swallows) {
        swallows = false;
        return (ssize_t)count;
    }
    return __real_sendfile64(out, in, offset, count);
}

static bool is_socket(int fd)
{
    struct stat stat;

    return fstat(fd, &stat) == 0 && S_ISSOCK(stat.st_mode);
}

ssize_t __real_splice(int in, off_t *in_at, int out, off_t *out_at, size_t len, unsigned flags);
ssize_t __wrap_splice(int in, off_t *in_at, int out, off_t *out_at, size_t len, unsigned flags);
ssize_t __wrap_splice(int in, off_t *in_at, int out, off_t *out_at, size_t len, unsigned flags)
{
    if (splice_error && is_socket(out)) {
        errno = splice_error;
        splice_error = 0;
        return -1;
    }
    ssize_t n = __real_splice(in, in_at, out, out_at, len, flags);
    spliced += n > 0 && is_socket(in);
    return n;
}

/* Is it the program under test that writes, and not what plays its peer? */
static bool is_own(int flags)
{
    return flags & MSG_DONTWAIT;
}

/* Counts a try; true: it fails. */
static bool refuse_try(int flags)
{
    if (!is_own(flags)) {
        return false;
    }
    held_back = flags & MSG_MORE;
    tried += !held_back;
    errno = send_error;
    send_error = 0;
    return errno != 0;
}

ssize_t __real_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags)
{
    return refuse_try(flags) ? -1 : __real_send(fd, bytes, len, flags);
}

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return refuse_try(flags) ? -1 : __real_sendmsg(fd, message, flags);
}

int __real_uv_write(uv_write_t *request, uv_stream_t *handle, const uv_buf_t bufs[],
                    unsigned int count, uv_write_cb cb);
int __wrap_uv_write(uv_write_t *request, uv_stream_t *handle, const uv_buf_t bufs[],
                    unsigned int count, uv_write_cb cb);
int __wrap_uv_write(uv_write_t *request, uv_stream_t *handle, const uv_buf_t bufs[],
                    unsigned int count, uv_write_cb cb)
{
    queued++;
    return __real_uv_write(request, handle, bufs, count, cb);
}
