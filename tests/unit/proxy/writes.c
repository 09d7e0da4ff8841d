#include "tests/unit/proxy/writes.h"

#include <uv.h>

#include <stdbool.h>

static int tried, queued;
static bool refused;

void writes_reset(void)
{
    tried = 0;
    queued = 0;
}

void writes_refuse(void)
{
    refused = true;
}

int writes_tried(void)
{
    return tried;
}

int writes_queued(void)
{
    return queued;
}

int __real_uv_try_write(uv_stream_t *handle, const uv_buf_t bufs[], unsigned int count);
int __wrap_uv_try_write(uv_stream_t *handle, const uv_buf_t bufs[], unsigned int count);
int __wrap_uv_try_write(uv_stream_t *handle, const uv_buf_t bufs[], unsigned int count)
{
    tried++;
    if (refused) {
        refused = false;
        return UV_EAGAIN;
    }
    return __real_uv_try_write(handle, bufs, count);
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
