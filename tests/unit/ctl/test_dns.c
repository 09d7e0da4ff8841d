#include "ctl/verbs.h"

#include <criterion/criterion.h>

#include "base/err.h"

Test(dns, replicas_fit_a_terminal)
{
    static const char json[] =
        "{\"queries\": {\"udp\": 1999, \"tcp\": 1, \"steered\": 1000, \"all_down\": 3},"
        " \"measured\": {\"networks\": 5123, \"mapped\": 4000, \"moved\": 12, \"answers\": 900,"
        "  \"explored\": 10},"
        " \"replicas\": [{\"name\": \"fra\", \"state\": \"up\", \"answers\": 1000,"
        "  \"since_seconds\": 3720, \"load\": {\"requests_per_second\": 20000,"
        "  \"bytes_per_second\": 1073741824, \"overload\": true}, \"fair_share\": 1,"
        "  \"of_fair_share\": 1.3, \"keeps\": 0.4, \"takes\": 1},"
        " {\"name\": \"nyc\", \"state\": \"down\", \"answers\": 0, \"since_seconds\": 8,"
        "  \"keeps\": 1, \"takes\": 1, \"reason\": \"connection\\u001b refused\"}]}";
    static const char want[] =
        "queries     2,000: 1,000 answered with replicas, 3 of them while none was up\n"
        "measured    5,123 networks, 4,000 of them in the map (12 moved)\n"
        "            90.0 % of answers follow it, 1.0 % are given to measure more\n"
        "  replica       state       answers   for           load\n"
        "  fra           up          100.0 %   1 h 2 min     20000 req/s, 1.0 GiB/s\n"
        "    at 130 % of its share: keeps 40 % of its clients\n"
        "    says it is overloaded\n"
        "  nyc           down        0.0 %     8 s\n"
        "    connection? refused\n";
    struct buf out = BUF_INIT;

    cr_assert_eq(dns_render(span_str(json), &out), 0);
    buf_append(&out, SPAN("\0"));
    cr_expect_str_eq(out.data, want);
    buf_clear(&out);
    cr_expect_eq(dns_render(SPAN("{}"), &out), ERR_SYNTAX);
    buf_fini(&out);
}
