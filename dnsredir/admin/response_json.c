#include "dnsredir/admin/response_json.h"

#include "base/check.h"
#include "base/prefix.h"
#include "dnsredir/counters.h"

static const struct {
    const char *word;
    uint16_t type;
} types[] = {
    {"A", TYPE_A},         {"NS", TYPE_NS},   {"CNAME", TYPE_CNAME}, {"SOA", TYPE_SOA},
    {"PTR", TYPE_PTR},     {"MX", TYPE_MX},   {"TXT", TYPE_TXT},     {"AAAA", TYPE_AAAA},
    {"SRV", TYPE_SRV},     {"DS", TYPE_DS},   {"HTTPS", TYPE_HTTPS}, {"SVCB", TYPE_SVCB},
    {"HINFO", TYPE_HINFO}, {"ANY", TYPE_ANY}, {"CAA", TYPE_CAA},     {"SSHFP", TYPE_SSHFP},
    {"TLSA", TYPE_TLSA},
};

bool response_type(struct span text, uint16_t *out)
{
    uint64_t number;

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (span_ieq(text, span_str(types[i].word))) {
            *out = types[i].type;
            return true;
        }
    }
    if (text.len <= 4 || !span_ieq(span_take(text, 4), SPAN("TYPE")) ||
        !span_to_u64(span_skip(text, 4), UINT16_MAX, &number)) {
        return false;
    }
    *out = (uint16_t)number;
    return true;
}

json_t *response_type_json(uint16_t type)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (types[i].type == type) {
            return json_string(types[i].word);
        }
    }
    return json_sprintf("TYPE%u", type);
}

/* Addresses and single names as usual, everything else as RFC 3597 has it. */
static json_t *data_json(struct wire_in *in, uint16_t type, uint16_t len)
{
    struct ip ip = {{[10] = 0xff, [11] = 0xff}};
    size_t size = type == TYPE_A ? 4 : type == TYPE_AAAA ? 16 : 0;
    struct wire_in names = *in;
    char text[NAME_TEXT_MAX];
    struct name name;
    const uint8_t *bytes = wire_get(in, len);

    if (!bytes) {
        return json_null();
    }
    if (size && len == size) {
        memcpy(ip.at + 16 - size, bytes, size);
        return json_string(ip_text(&ip, text));
    }
    if ((type == TYPE_CNAME || type == TYPE_NS || type == TYPE_PTR) && !name_read(&names, &name)) {
        return json_string(name_text(&name, text));
    }
    struct buf hex = BUF_INIT;
    buf_printf(&hex, "\\# %u ", len);
    for (uint16_t i = 0; i < len; i++) {
        buf_printf(&hex, "%02x", bytes[i]);
    }
    json_t *value = json_stringn(buf_span(&hex).at, buf_len(&hex));
    buf_fini(&hex);
    return value;
}

static bool add_record(struct wire_in *in, json_t *list)
{
    char text[NAME_TEXT_MAX];
    struct name name;

    if (name_read(in, &name)) {
        return false;
    }
    uint16_t type = wire_get_u16(in);
    wire_get_u16(in);
    uint32_t ttl = wire_get_u32(in);
    uint16_t len = wire_get_u16(in);
    json_t *row = json_pack("{s:s, s:o, s:I}", "name", name_text(&name, text), "type",
                            response_type_json(type), "ttl", (json_int_t)ttl);
    json_object_set_new(row, "data", data_json(in, type, len));
    json_array_append_new(list, row);
    return !in->failed;
}

json_t *response_json(struct span packet)
{
    struct wire_in in = wire_in_of(packet.at, packet.len);
    json_t *list = json_array();
    struct name name;

    wire_get_u16(&in);
    uint16_t flags = wire_get_u16(&in);
    uint16_t questions = wire_get_u16(&in);
    uint16_t count = wire_get_u16(&in);
    wire_get_u32(&in);
    if (questions == 1 && name_read(&in, &name) == 0) {
        wire_get_u32(&in);
    }
    for (uint16_t i = 0; i < count && add_record(&in, list); i++) {
    }
    return json_pack("{s:s, s:b, s:b, s:o}", "rcode", counters_rcode(flags & 15), "authoritative",
                     (flags & FLAG_AA) != 0, "recursion_available", (flags & FLAG_RA) != 0,
                     "records", list);
}
