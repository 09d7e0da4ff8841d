#include "dnsredir/latency.h"

#include <criterion/criterion.h>

Test(latency, a_batch_counts_as_many_as_it_has)
{
    struct latency latency = {0};
    const void *owner = &latency;
    struct buf out = BUF_INIT;

    latency_observe(&latency, 5, 1);
    latency_observe(&latency, 6, 31);
    latency_observe(&latency, 2000000, 2);
    latency_write(&out, "x_seconds", "X", &owner, 1, 0);
    buf_append(&out, SPAN("\0"));
    cr_expect(strstr(out.data, "# TYPE x_seconds histogram\n"));
    cr_expect(strstr(out.data, "x_seconds_bucket{le=\"0.000005\"} 1\n"));
    cr_expect(strstr(out.data, "x_seconds_bucket{le=\"0.00001\"} 32\n"));
    cr_expect(strstr(out.data, "x_seconds_bucket{le=\"1\"} 32\n"));
    cr_expect(strstr(out.data, "x_seconds_bucket{le=\"+Inf\"} 34\n"));
    cr_expect(strstr(out.data, "x_seconds_sum 4.000191\nx_seconds_count 34\n"), "%s", out.data);
    buf_fini(&out);
}
