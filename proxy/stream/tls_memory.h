/*
 * tls_memory - counts OpenSSL's memory in base/memory.h. Thread-safe.
 */
#ifndef LARDER_PROXY_STREAM_TLS_MEMORY_H
#define LARDER_PROXY_STREAM_TLS_MEMORY_H

#include <stdint.h>

/* Starts counting. To be called before OpenSSL allocates anything; later it has no effect. */
void tls_memory_count(void);
/* Bytes that OpenSSL has allocated on this thread, less those freed on it. */
int64_t tls_memory_net(void);

#endif
