/*
 * tls_memory - what OpenSSL holds, in the account of base/memory.h. Any thread.
 */
#ifndef LARDER_PROXY_STREAM_TLS_MEMORY_H
#define LARDER_PROXY_STREAM_TLS_MEMORY_H

#include <stdint.h>

/* From now on, and only when OpenSSL has allocated nothing yet: otherwise nothing is counted. */
void tls_memory_count(void);
/* Bytes that OpenSSL has taken on this thread, less those it gave back. */
int64_t tls_memory_net(void);

#endif
