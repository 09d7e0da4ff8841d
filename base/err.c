#include "base/err.h"

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
