#include "proxy/stream/tls_context_parts.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/memory.h"
#include "proxy/stream/tls_memory.h"

#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* Mozilla, "intermediate", version 5.7, without DHE: clients that need it are gone, and with it a
 * peer can have us do much more work than it does itself. */
static const char ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char groups[] = "X25519:P-256:P-384";

/* ---- life ---- */

void tls_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, tls_memory_count);
}

struct tls_context *tls_context_new(unsigned alpn, bool is_server, size_t count)
{
    static atomic_uint_fast64_t serial;
    struct tls_context *context = xcalloc(1, sizeof(*context));

    tls_start();
    atomic_init(&context->refs, 1);
    context->serial = atomic_fetch_add(&serial, 1) + 1;
    context->alpn = alpn;
    context->is_server = is_server;
    context->identities = xcalloc(count, sizeof(*context->identities));
    context->count = count;
    return context;
}

static void identity_fini(struct tls_identity *identity)
{
    SSL_CTX_free(identity->ssl);
    for (size_t i = 0; i < identity->name_count; i++) {
        free((char *)(uintptr_t)identity->names[i].at);
    }
    free(identity->names);
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
    return context;
}

void tls_context_unref(struct tls_context **slot)
{
    struct tls_context *context = *slot;

    *slot = NULL;
    if (!context || atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < context->count; i++) {
        identity_fini(&context->identities[i]);
    }
    tls_tickets_unref(&context->tickets);
    free(context->expiring);
    free(context->identities);
    free(context);
}

uint64_t tls_context_serial(const struct tls_context *context)
{
    return context->serial;
}

void tls_context_print(struct tls_context *context, const struct tls_print *before,
                       struct tls_print after)
{
    after.is_known = tls_print_same(before, &after);
    context->print = after;
}

int64_t tls_context_expires(const struct tls_context *context, const char **file)
{
    *file = context->expiring;
    return context->expiring ? context->expires : INT64_MAX;
}

/* ---- what both roles have in common ---- */

/* SSL_CTX_set1_groups_list() is a macro that casts const away, and only reads. */
static bool set_groups(SSL_CTX *ssl)
{
    char list[sizeof(groups)];

    memcpy(list, groups, sizeof(groups));
    return SSL_CTX_set1_groups_list(ssl, list);
}

SSL_CTX *tls_ssl_new(const SSL_METHOD *method)
{
    SSL_CTX *ssl = SSL_CTX_new(method);

    CHECK(ssl && SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) &&
          SSL_CTX_set_cipher_list(ssl, ciphers) && set_groups(ssl));
    SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    /* A connection that waits holds no buffer; what is given to SSL_write() may move. */
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_max_early_data(ssl, 0);
    return ssl;
}

struct span tls_alpn_list(unsigned alpn)
{
    static const char all[] = "\x02h2\x08http/1.1";
    size_t h2 = (alpn & BIT(ALPN_H2)) ? 3 : 0;
    size_t http1 = (alpn & BIT(ALPN_HTTP1)) ? 9 : 0;

    return span_of(all + 3 - h2, h2 + http1);
}

/* ---- errors ---- */

int tls_complain(const struct tls_report *report, const char *file, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    buf_printf(report->errors, "%s: %s\n", file, text);
    return ERR_CONFIG;
}

const char *tls_last_error(void)
{
    unsigned long code = ERR_peek_error(); /* the first: what follows passed it on */
    const char *text = NULL;

    if (ERR_SYSTEM_ERROR(code)) {
        text = err_text(-ERR_GET_REASON(code));
    } else if (code) {
        text = ERR_reason_error_string(code);
    }
    ERR_clear_error();
    return text ? text : "unknown error";
}

int tls_readable(const struct tls_report *report, const char *file, const char *expected)
{
    if (access(file, R_OK) == 0) {
        return 0;
    }
    return tls_complain(report, file, "%s; expected %s", err_text(-errno), expected);
}
