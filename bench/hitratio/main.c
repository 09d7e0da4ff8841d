/*
 * bench/hitratio - how much a cache of a given size would have served from a trace, by policy.
 *
 *   hitratio [OPTION...] TRACE          a file (.xz and .gz are unpacked); - is standard input
 *   hitratio [OPTION...] --zipf SPEC    a trace made up: objects=100000,requests=1000000,alpha=0.9,
 *                                       once=20,drift=0,shifts=0,days=0,loop=0,ring=50000,
 *                                       rings=1,scans=0,stories=0,sized=1,seed=1
 *
 * docs/hitratio.md says how to read what it prints.
 */
#include "base/err.h"
#include "base/mem.h"
#include "bench/hitratio/input.h"
#include "bench/hitratio/report.h"
#include "bench/hitratio/zipf.h"

#include <getopt.h>
#include <inttypes.h>

static const char usage[] =
    "usage: hitratio [OPTION...] TRACE | --zipf SPEC\n"
    "  -f, --format u32|text|squid  of TRACE; by its name otherwise (.trace, others, .log)\n"
    "  -s, --sizes LIST             of the cache: percents of all objects' bytes "
    "(0.5,1,2,5,10,20)\n"
    "  -w, --warm-up PERCENT        requests at the start that are not counted (20)\n"
    "  -n, --limit N                requests that are read at most\n"
    "  -p, --policies LIST          only these, by name; ours are always there\n"
    "  -t, --tsv FILE               appends the numbers to FILE, for plot.py\n"
    "  -z, --zipf SPEC              name=value,...: objects requests alpha once drift shifts\n"
    "                               days loop ring rings scans stories sized seed\n";

static const struct policy *const all_policies[] = {
    &policy_fifo,         &policy_lru,         &policy_clock,  &policy_sieve,
    &policy_s3fifo,       &policy_wtinylfu,    &policy_gdsf,   &policy_belady,
    &policy_larder_bytes, &policy_larder_both, &policy_larder,
};

struct options {
    const char *path, *zipf, *sizes, *policies, *tsv, *format;
    uint64_t limit, warm_up;
};

static bool fail(const char *what, const char *value)
{
    fprintf(stderr, "hitratio: %s: %s\n", what, value);
    return false;
}

/* ---- options ---- */

static bool take_number(const char *name, const char *text, uint64_t max, uint64_t *out)
{
    return span_to_u64(span_str(text), max, out) || fail(name, "not a number, or too large");
}

static bool take_option(struct options *options, int c)
{
    switch (c) {
    case 'f':
        options->format = optarg;
        return true;
    case 's':
        options->sizes = optarg;
        return true;
    case 'w':
        return take_number("--warm-up", optarg, 90, &options->warm_up);
    case 'n':
        return take_number("--limit", optarg, UINT32_MAX, &options->limit);
    case 'p':
        options->policies = optarg;
        return true;
    case 't':
        options->tsv = optarg;
        return true;
    case 'z':
        options->zipf = optarg;
        return true;
    }
    fputs(usage, c == 'h' ? stdout : stderr);
    exit(c == 'h' ? 0 : 2);
}

static bool parse(struct options *options, int argc, char **argv)
{
    static const struct option names[] = {
        {"format", 1, NULL, 'f'},   {"sizes", 1, NULL, 's'}, {"warm-up", 1, NULL, 'w'},
        {"limit", 1, NULL, 'n'},    {"tsv", 1, NULL, 't'},   {"zipf", 1, NULL, 'z'},
        {"policies", 1, NULL, 'p'}, {"help", 0, NULL, 'h'},  {0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "f:s:w:n:p:t:z:h", names, NULL)) >= 0) {
        if (!take_option(options, c)) {
            return false;
        }
    }
    options->path = argv[optind];
    if (argc - optind + (options->zipf != NULL) != 1) {
        fputs(usage, stderr);
        return false;
    }
    return true;
}

/* ---- the trace ---- */

static bool format_named(const char *name, enum format *out)
{
    static const char *const names[] = {
        [FORMAT_U32] = "u32", [FORMAT_TEXT] = "text", [FORMAT_SQUID] = "squid"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum format)i;
            return true;
        }
    }
    return fail("--format is one of u32, text and squid, not", name);
}

static bool load(const struct options *options, struct trace *trace)
{
    enum format format = input_format(span_str(options->path));
    struct format_counts counts = {0};

    if (options->format && !format_named(options->format, &format)) {
        return false;
    }
    int err = input_read(options->path, format, options->limit, trace, &counts);
    if (err) {
        return fail(options->path, err == ERR_CORRUPT ? "cannot be unpacked" : err_text(err));
    }
    if (counts.skipped || counts.bad) {
        fprintf(stderr,
                "hitratio: %" PRIu64 " requests, %" PRIu64 " others, %" PRIu64
                " lines that are not of the format\n",
                counts.taken, counts.skipped, counts.bad);
    }
    return trace->count > 0 || fail(options->path, "no requests in it");
}

static bool obtain(const struct options *options, struct trace *trace)
{
    struct zipf zipf;
    struct span wrong;

    if (!options->zipf) {
        return load(options, trace);
    }
    if (!zipf_parse(span_str(options->zipf), &zipf, &wrong)) {
        fprintf(stderr, "hitratio: --zipf: not understood: %.*s\n", SPAN_ARGS(wrong));
        return false;
    }
    zipf_make(&zipf, trace);
    return true;
}

/* ---- what is run ---- */

static bool take_sizes(struct report *report, const char *list, const struct trace *trace)
{
    struct span rest = span_str(list);

    while (rest.len) {
        struct span one = span_cut(&rest, ',');
        char *text = xspandup(one), *end;
        double share = strtod(text, &end);
        bool good = *end == '\0' && share > 0 && share <= 100;
        free(text);
        if (!good || report->size_count == REPORT_SIZES) {
            return fail("--sizes: at most 16 percents, not", list);
        }
        double capacity = share / 100 * (double)trace->bytes;
        report->share[report->size_count] = share;
        report->capacity[report->size_count++] = capacity < 1 ? 1 : (uint64_t)capacity;
    }
    return true;
}

static bool is_listed(const char *list, const char *name)
{
    struct span rest = span_str(list);

    while (rest.len) {
        if (span_ieq(span_cut(&rest, ','), span_str(name))) {
            return true;
        }
    }
    return false;
}

static bool is_policy(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(all_policies); i++) {
        if (span_ieq(name, span_str(all_policies[i]->name))) {
            return true;
        }
    }
    return false;
}

static bool check_policies(const char *list)
{
    struct span rest = span_str(list);

    while (rest.len) {
        if (!is_policy(span_cut(&rest, ','))) {
            return fail("--policies: there is one that is not known in", list);
        }
    }
    return true;
}

static void run_all(struct report *report, const struct trace *trace, uint64_t warm_up)
{
    report->outcomes =
        xcalloc(report->policy_count * report->size_count, sizeof(*report->outcomes));
    for (size_t policy = 0; policy < report->policy_count; policy++) {
        for (size_t size = 0; size < report->size_count; size++) {
            *report_at(report, policy, size) =
                run(report->policies[policy], trace, report->capacity[size],
                    (size_t)(trace->count * warm_up / 100));
        }
    }
}

static bool write_tsv(const struct report *report, const char *path)
{
    FILE *to = fopen(path, "a");

    if (!to) {
        return fail(path, "cannot be written");
    }
    report_tsv(report, to);
    return fclose(to) == 0 || fail(path, "cannot be written");
}

static bool simulate(const struct options *options, const struct trace *trace)
{
    const struct policy *chosen[ARRAY_LEN(all_policies)];
    struct report report = {.title = options->zipf ? options->zipf : basename(options->path),
                            .sized = trace_is_sized(trace),
                            .policies = chosen};

    for (size_t i = 0; i < ARRAY_LEN(all_policies); i++) {
        if (!options->policies || all_policies[i]->ours ||
            is_listed(options->policies, all_policies[i]->name)) {
            chosen[report.policy_count++] = all_policies[i];
        }
    }
    if (!take_sizes(&report, options->sizes, trace)) {
        return false;
    }
    printf("%zu requests, %zu objects, %" PRIu64 " bytes\n", trace->count, trace->objects,
           trace->bytes);
    run_all(&report, trace, options->warm_up);
    report_print(&report, stdout);
    bool good = !options->tsv || write_tsv(&report, options->tsv);
    free(report.outcomes);
    return good;
}

int main(int argc, char **argv)
{
    struct options options = {.sizes = "0.5,1,2,5,10,20", .warm_up = 20};
    struct trace trace;

    trace_init(&trace);
    bool good = parse(&options, argc, argv) &&
                (!options.policies || check_policies(options.policies)) &&
                obtain(&options, &trace) && simulate(&options, &trace);
    trace_fini(&trace);
    return good ? 0 : 1;
}
