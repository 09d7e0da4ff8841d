/*
 * writes - counts what this test program asks the kernel to write. The linker wraps libuv's two
 * calls (see meson.build), so the program under test needs no hook.
 */
#ifndef LARDER_TESTS_UNIT_PROXY_WRITES_H
#define LARDER_TESTS_UNIT_PROXY_WRITES_H

void writes_reset(void);
/* Calls of uv_try_write: one writev(2) each. */
int writes_tried(void);
/* The next uv_try_write finds the socket full: by the time of uv_write it has room again. */
void writes_refuse(void);
/* Calls of uv_write: a request, and later an epoll_ctl(2), each. */
int writes_queued(void);

#endif
