/*
 * writes - counts what this test program asks the kernel to write. The linker wraps libuv's call
 * and those of the kernel (see meson.build), so the program under test needs no hook.
 */
#ifndef LARDER_TESTS_UNIT_PROXY_WRITES_H
#define LARDER_TESTS_UNIT_PROXY_WRITES_H

#include <stdbool.h>

void writes_reset(void);
/* Calls of send(2) and sendmsg(2) that would rather not write than wait or hold back. */
int writes_tried(void);
/* The next such call, or one that holds back, fails so (an errno): by the time of uv_write the
 * socket has room again. */
void writes_refuse(int error);
/* Calls of uv_write: a request, and later an epoll_ctl(2), each. */
int writes_queued(void);
/* Calls of splice(2) that moved something out of a socket. */
int writes_spliced(void);
/* The next splice(2) into a socket fails so (an errno). */
void writes_fail_splice(int error);
/* Calls of sendfile(2). */
int writes_from_files(void);
/* The next sendfile(2) fails so (an errno), or is interrupted before it does anything. */
void writes_fail_file(int error);
/* The next sendfile(2) takes all it is asked to send, and sends nothing. */
void writes_swallow_file(void);
/* The last send(2) held its bytes back for what follows. */
bool writes_held_back(void);

#endif
