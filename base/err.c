#include "base/err.h"

#include <errno.h>
#include <string.h>

const char *err_text(int err)
{
    switch (err) {
#define X(name, number, text)                                                                      \
    case ERR_##name:                                                                               \
        return text;
        ERR_LIST(X)
#undef X
    case 0:
        return "ok";
    }
    const char *text = err < 0 && err > ERR_BASE ? strerrordesc_np(-err) : NULL;
    return text ? text : "unknown error";
}

const char *err_listen_hint(int err)
{
    switch (err) {
    case -EADDRINUSE:
        return "another process listens there: ss -lntup shows which";
    case -EACCES:
        return "a port below 1024 needs root or CAP_NET_BIND_SERVICE";
    case -EADDRNOTAVAIL:
        return "no interface of this machine has this address";
    default:
        return "see the error";
    }
}
