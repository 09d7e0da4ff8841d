#include "dnsredir/admin/status_dynamic.h"

#include "base/buf.h"
#include "base/mem.h"

static void put_address(struct buf *out, struct span data)
{
    struct ip ip = {{[10] = 0xff, [11] = 0xff}};
    char text[IP_TEXT_MAX];

    memcpy(ip.at + 16 - data.len, data.at, data.len);
    buf_printf(out, "%s", ip_text(&ip, text));
}

/* Strings of a TXT record as in a master file: each in quotation marks. */
static void put_strings(struct buf *out, struct span data)
{
    struct wire_in in = wire_in_of(data.at, data.len);

    while (wire_left(&in) && !in.failed) {
        struct span string = wire_get_span(&in, wire_get_u8(&in));
        buf_printf(out, "%s\"", buf_len(out) ? " " : "");
        for (size_t i = 0; i < string.len; i++) {
            unsigned char c = (unsigned char)string.at[i];
            if (c < ' ' || c >= 127) {
                buf_printf(out, "\\%03u", c);
            } else {
                buf_printf(out, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
            }
        }
        buf_printf(out, "\"");
    }
}

static void put_record(struct buf *out, uint16_t type, uint32_t ttl, struct span data)
{
    char text[NAME_TEXT_MAX];
    struct name name;
    struct buf strings = BUF_INIT;

    switch (type) {
    case TYPE_A:
    case TYPE_AAAA:
        buf_printf(out, "%u %s ", ttl, type == TYPE_A ? "A" : "AAAA");
        put_address(out, data);
        break;
    case TYPE_CNAME:
        name_load(&name, (const uint8_t *)data.at);
        buf_printf(out, "%u CNAME %s", ttl, name_text(&name, text));
        break;
    case TYPE_TXT:
        put_strings(&strings, data);
        buf_printf(out, "%u TXT %.*s", ttl, SPAN_ARGS(buf_span(&strings)));
        break;
    }
    buf_fini(&strings);
}

static void add_set(json_t *list, const struct rrset *set)
{
    struct wire_in in = wire_in_of(set->wire, set->len);

    while (wire_left(&in)) {
        wire_get(&in, RR_FIXED_LEN - 2);
        struct span data = wire_get_span(&in, wire_get_u16(&in));
        if (data.at == NULL) {
            return; /* not a whole record: a page of status is no place to fail at it */
        }
        struct buf text = BUF_INIT;
        put_record(&text, set->type, set->ttl, data);
        json_array_append_new(list, json_stringn(text.data + text.start, buf_len(&text)));
        buf_fini(&text);
    }
}

struct rows {
    struct row {
        const struct name *name;
        const struct rrset *sets;
    } * list;
    size_t count;
};

static void take_row(void *arg, const struct name *name, const struct rrset *sets)
{
    struct rows *rows = arg;
    rows->list[rows->count++] = (struct row){name, sets};
}

static int compare(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return span_cmp(span_of(x->name->at, x->name->len), span_of(y->name->at, y->name->len));
}

json_t *status_dynamic(const struct dynamic_records *dynamic)
{
    struct rows rows = {xcalloc(dynamic_count(dynamic), sizeof(*rows.list)), 0};
    json_t *list = json_array();

    dynamic_each(dynamic, take_row, &rows);
    if (rows.count) {
        qsort(rows.list, rows.count, sizeof(*rows.list), compare);
    }
    for (size_t i = 0; i < rows.count && i < STATUS_DYNAMIC_MAX; i++) {
        char text[NAME_TEXT_MAX];
        json_t *records = json_array();
        for (const struct rrset *set = rows.list[i].sets; set; set = set->next) {
            add_set(records, set);
        }
        json_array_append_new(list,
                              json_pack("{s:s, s:o}", "name", name_text(rows.list[i].name, text),
                                        "records", records));
    }
    free(rows.list);
    return list;
}
