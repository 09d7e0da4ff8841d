/* Host, path, content type and method, a line each: the log line stays one line, Squid's of eleven
 * columns.
 */
#include "base/check.h"
#include "proxy/client/accesslog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char line[ACCESSLOG_LINE_MAX];
    struct span rest = span_of(data, size);
    struct ip client = {{[15] = 1}};
    struct decision decision = {.outcome = OUTCOME_MISS, .fwd_status = 200};
    struct uri uri = {.port = 80};
    struct http_head request = {.method = METHOD_OTHER};
    struct accesslog_entry entry = {.when_ms = 1,
                                    .elapsed_us = 123456000,
                                    .client = &client,
                                    .decision = &decision,
                                    .request = &request,
                                    .uri = &uri};
    static const struct log_style squid = {.format = ACCESS_SQUID};
    size_t columns = 1;

    uri.host = span_cut(&rest, '\n');
    uri.path = span_cut(&rest, '\n');
    entry.content_type = span_cut(&rest, '\n');
    request.method_text = rest; /* may hold anything, line ends too */
    size_t len = accesslog_format(line, &squid, &entry);
    CHECK(len > 0 && len <= sizeof(line));
    CHECK(memchr(line, '\n', len) == line + len - 1);
    for (size_t i = 0; i < len; i++) {
        columns += line[i] == ' ';
    }
    CHECK(columns == 11);
    for (int format = 0; format <= ACCESS_JSON; format++) {
        struct log_style style = {.format = (enum access_format)format};
        len = accesslog_format(line, &style, &entry);
        CHECK(len > 0 && len <= sizeof(line));
        CHECK(memchr(line, '\n', len) == line + len - 1);
    }
    return 0;
}
