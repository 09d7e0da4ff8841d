#include "base/environment.h"

#include "base/span.h"

#include <stdlib.h>

bool environment_number(const char *name, uint64_t *out)
{
    const char *text = getenv(name);

    return text && span_to_u64(span_str(text), UINT64_MAX, out);
}
