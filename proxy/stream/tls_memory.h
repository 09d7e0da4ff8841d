/*
 * tls_memory - what OpenSSL holds, in the account of base/memory.h. Any thread.
 */
#ifndef LARDER_PROXY_STREAM_TLS_MEMORY_H
#define LARDER_PROXY_STREAM_TLS_MEMORY_H

/* From now on, and only when OpenSSL has allocated nothing yet: otherwise nothing is counted. */
void tls_memory_count(void);

#endif
