#include "base/source.h"

#include "base/check.h"
#include "base/list.h"

static int memory_peek(struct source *source, struct span *out)
{
    *out = container_of(source, struct source_memory, source)->rest;
    return 0;
}

static void memory_advance(struct source *source, size_t n)
{
    struct source_memory *memory = container_of(source, struct source_memory, source);

    CHECK(n <= memory->rest.len);
    memory->rest = span_skip(memory->rest, n);
}

void source_memory_init(struct source_memory *source, struct span body)
{
    static const struct source_ops ops = {.peek = memory_peek, .advance = memory_advance};

    *source = (struct source_memory){.source = {.ops = &ops}, .rest = body};
}
