#include "nsupdate.h"

#include "base/buf.h"
#include "base/mem.h"
#include "dnsredir/admin/status_dynamic.h"

#include <criterion/criterion.h>
#include <stdio.h>

static uint16_t type_of(struct span word)
{
    static const struct {
        const char *word;
        uint16_t type;
    } types[] = {{"A", TYPE_A},     {"AAAA", TYPE_AAAA}, {"CNAME", TYPE_CNAME},
                 {"TXT", TYPE_TXT}, {"NS", TYPE_NS},     {"SOA", TYPE_SOA},
                 {"MX", TYPE_MX},   {"ANY", TYPE_ANY},   {"AXFR", TYPE_AXFR}};

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (span_eq(word, span_str(types[i].word))) {
            return types[i].type;
        }
    }
    cr_assert_fail("no such type: %.*s", SPAN_ARGS(word));
    return 0;
}

struct statement {
    struct name owner;
    uint16_t type, class;
    uint32_t ttl;
    struct span data; /* as text */
    bool prereq;
};

static struct statement statement_of(const struct name *zone, struct span text)
{
    struct statement s = {.type = TYPE_ANY};
    struct span verb = span_cut(&text, ' ');
    bool add = span_eq(verb, SPAN("add"));
    uint64_t ttl = 0;

    s.prereq = !add && !span_eq(verb, SPAN("del"));
    cr_assert_eq(name_parse(span_cut(&text, ' '), zone, &s.owner), 0);
    cr_assert(!add || span_to_u64(span_cut(&text, ' '), UINT32_MAX, &ttl));
    s.ttl = (uint32_t)ttl;
    if (text.len) {
        s.type = type_of(span_cut(&text, ' '));
    }
    s.data = text;
    bool with_data = text.len > 0;
    s.class = span_eq(verb, SPAN("nx"))        ? CLASS_NONE
              : add || (s.prereq && with_data) ? CLASS_IN
              : with_data                      ? CLASS_NONE
                                               : CLASS_ANY;
    return s;
}

static void put_data(struct wire_out *out, const struct name *zone, const struct statement *s)
{
    struct record *record = xcalloc(1, sizeof(*record));
    static const char *const words[] = {
        [TYPE_A] = "A",     [TYPE_AAAA] = "AAAA", [TYPE_CNAME] = "CNAME",
        [TYPE_TXT] = "TXT", [TYPE_NS] = "NS",     [TYPE_MX] = "MX"};
    char text[1024];
    const char *what;

    if (s->data.len) {
        snprintf(text, sizeof(text), "%s %.*s", words[s->type], SPAN_ARGS(s->data));
        cr_assert_eq(record_parse(span_str(text), zone, record, &what), 0, "%s", text);
    }
    wire_put_u16(out, record->len);
    wire_put_bytes(out, record->data, record->len);
    free(record);
}

size_t nsupdate_write(const char *zone, const char *text, uint8_t *room, size_t len)
{
    struct wire_out out = wire_out_of(room, len);
    struct span rest = span_str(text);
    uint16_t counts[2] = {0, 0};
    struct name apex;

    cr_assert_eq(name_parse_absolute(span_str(zone), &apex), 0);
    wire_put_u16(&out, 0x1234);
    wire_put_u16(&out, OPCODE_UPDATE << 11);
    wire_put_u16(&out, 1);
    uint8_t *counts_at = wire_put(&out, 6);
    wire_put_bytes(&out, apex.at, apex.len);
    wire_put_u16(&out, TYPE_SOA);
    wire_put_u16(&out, CLASS_IN);
    while (rest.len) {
        struct statement s = statement_of(&apex, span_trim(span_cut(&rest, ';')));
        counts[!s.prereq]++;
        wire_put_bytes(&out, s.owner.at, s.owner.len);
        wire_put_u16(&out, s.type);
        wire_put_u16(&out, s.class);
        wire_put_u32(&out, s.ttl);
        put_data(&out, &apex, &s);
    }
    cr_assert(!out.failed);
    const uint8_t bytes[6] = {(uint8_t)(counts[0] >> 8), (uint8_t)counts[0],
                              (uint8_t)(counts[1] >> 8), (uint8_t)counts[1]};
    memcpy(counts_at, bytes, sizeof(bytes));
    return wire_out_len(&out);
}

/* ---- the store ---- */

static size_t place_of(const struct dynamic_memory *memory, const struct name *name)
{
    size_t i = 0;

    while (i < memory->count && !name_eq(&memory->names[i].name, name)) {
        i++;
    }
    return i;
}

static struct span memory_get(void *arg, const struct name *name)
{
    const struct dynamic_memory *memory = arg;
    size_t i = place_of(memory, name);

    return i < memory->count ? span_of(memory->names[i].records, memory->names[i].len) : SPAN_EMPTY;
}

static int memory_put(void *arg, const struct name *name, struct span records)
{
    struct dynamic_memory *memory = arg;
    size_t i = place_of(memory, name);

    if (memory->err) {
        return memory->err;
    }
    cr_assert(i < MEMORY_NAMES && records.len <= sizeof(memory->names[i].records));
    memory->count += i == memory->count;
    memory->names[i].name = *name;
    memory->names[i].len = records.len;
    if (records.len) {
        memcpy(memory->names[i].records, records.at, records.len);
    }
    return 0;
}

struct update_store dynamic_memory_store(struct dynamic_memory *memory)
{
    return (struct update_store){memory_get, memory_put, memory};
}

struct dynamic_records *dynamic_memory_table(const struct dynamic_memory *memory)
{
    struct dynamic_records *dynamic = dynamic_new();

    for (size_t i = 0; i < memory->count; i++) {
        struct span name = span_of(memory->names[i].name.at, memory->names[i].name.len);
        cr_assert(
            dynamic_add(dynamic, name, span_of(memory->names[i].records, memory->names[i].len)));
    }
    return dynamic;
}

const char *dynamic_memory_text(const struct dynamic_memory *memory)
{
    static char text[8192];
    struct dynamic_records *dynamic = dynamic_memory_table(memory);
    json_t *list = status_dynamic(dynamic);
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        const json_t *records = json_object_get(row, "records");
        buf_printf(&out, "%s%s", i ? "; " : "", json_string_value(json_object_get(row, "name")));
        for (size_t n = 0; n < json_array_size(records); n++) {
            buf_printf(&out, "%s %s", n ? "," : "", json_string_value(json_array_get(records, n)));
        }
    }
    snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(buf_span(&out)));
    buf_fini(&out);
    json_decref(list);
    dynamic_unref(&dynamic);
    return text;
}
