/* A value of a segment: refused, or its parts fill it exactly. Sealed anew, so that what is behind
 * the checksum is looked at too. */
#include "base/check.h"
#include "base/mem.h"
#include "cache/store/object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(struct span value, const struct record *record)
{
    uint64_t total = 0;

    CHECK(record_size(record) == value.len);
    CHECK(record->body.at + record->body.len == value.at + value.len);
    CHECK(record->key.at + record->key.len == record->head.at);
    CHECK(record->head.at + record->head.len == record->body.at);
    if (record_verify(value, record) != 0 || record->chunk_count == 0) {
        return;
    }
    for (size_t i = 0; i < record->chunk_count; i++) {
        total += record->chunks[i].len;
        CHECK(i + 1 == record->chunk_count || total == (i + 1) * (uint64_t)STORE_CHUNK);
    }
    CHECK(total == record->body_len && record->body.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record record;
    char *value = xmalloc(size); /* aligned */

    if (size) {
        memcpy(value, data, size);
    }
    if (record_read(span_of(value, size), &record) == 0) {
        check_record(span_of(value, size), &record);
        record_seal(value, size);
        check_record(span_of(value, size), &record);
    }
    free(value);
    return 0;
}
