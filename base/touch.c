#include "base/touch.h"

#include <stdatomic.h>

static int (*_Atomic touch_call)(struct span bytes);

void touch_set(int (*call)(struct span bytes))
{
    atomic_store_explicit(&touch_call, call, memory_order_release);
}

int touch(struct span bytes)
{
    int (*call)(struct span) = atomic_load_explicit(&touch_call, memory_order_acquire);

    return call ? call(bytes) : 0;
}
