/* squid.conf: whatever stands in it, what it becomes is a configuration that loads. */
#include "base/check.h"
#include "base/conf.h"
#include "ctl/squid.h"
#include "proxy/config/directives.h"
#include "proxy/config/directives_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf yaml = BUF_INIT, notes = BUF_INIT, errors = BUF_INIT;
    struct settings settings;
    struct arena arena;

    squid_import("f", span_of(data, size), NULL, &yaml, &notes);
    arena_init(&arena, NULL, 0);
    struct conf *conf = conf_new(&settings_table, &errors);
    conf_load_text(conf, "y", buf_span(&yaml));
    conf_bind(conf, &settings, &arena);
    /* Numbers may be out of range, names may be twice; it is YAML with directives there are. */
    buf_append(&errors, SPAN("\0"));
    CHECK(strstr(errors.data, "not YAML") == NULL);
    CHECK(strstr(errors.data, "unknown directive") == NULL);
    conf_free(&conf);
    arena_fini(&arena);
    buf_fini(&yaml);
    buf_fini(&notes);
    buf_fini(&errors);
    return 0;
}
