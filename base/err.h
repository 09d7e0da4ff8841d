/*
 * err - one list of error codes and their texts. A call that can fail returns 0 or a negative
 * number. Negative errno values (which are also libuv's codes) are returned unchanged; our own
 * codes begin below ERR_BASE, where neither errno nor libuv has any.
 */
#ifndef LARDER_BASE_ERR_H
#define LARDER_BASE_ERR_H

#define ERR_BASE (-20000)

/* clang-format off */
#define ERR_LIST(X)                                                                                \
    X(AGAIN,        1, "nothing to take yet, a wake follows")                                      \
    X(MORE,         2, "the message is not complete yet")                                          \
    X(SYNTAX,       3, "malformed input")                                                          \
    X(TOO_LARGE,    4, "a limit was exceeded")                                                     \
    X(NOT_FOUND,    5, "no such record")                                                           \
    X(CORRUPT,      6, "stored bytes do not match their checksum")                                 \
    X(FULL,         7, "no room left")                                                             \
    X(CLOSED,       8, "the other side is gone")                                                   \
    X(TIMEOUT,      9, "took too long")                                                            \
    X(TRUNCATED,   10, "the message ended before its announced length")                            \
    X(REFUSED,     11, "not allowed")                                                              \
    X(UNSUPPORTED, 12, "not supported")                                                            \
    X(BUSY,        13, "in use by another process")                                                  \
    X(CONFIG,      14, "the configuration has errors")                                             \
    X(NO_ADDRESS,  15, "the name has no usable address")                                           \
    X(IO,          16, "reading or writing failed")                                                \
    X(TLS,         17, "TLS failed")                                                               \
    X(CERT_UNTRUSTED, 18, "the certificate is not trusted")                                        \
    X(CERT_EXPIRED, 19, "the certificate has expired, or is not valid yet")                        \
    X(CERT_NAME,   20, "the certificate is for another name")
/* clang-format on */

enum {
#define X(name, number, text) ERR_##name = ERR_BASE - (number),
    ERR_LIST(X)
#undef X
};

/* The text of a code of ours or of errno. Static storage, never NULL. Thread-safe. */
const char *err_text(int err);

/* What to check when listening at an address fails. Static storage, never NULL. Thread-safe. */
const char *err_listen_hint(int err);

#endif
