#include "bench/hitratio/report.h"

#include <inttypes.h>

enum column { OBJECTS, BYTES };

static double value_of(const struct report *report, enum column column, size_t policy, size_t size)
{
    const struct outcome *outcome = report_at(report, policy, size);

    return column == OBJECTS ? outcome->objects : outcome->bytes;
}

/* The last policy is the one the others are held against. */
static size_t best_practical(const struct report *report, enum column column, size_t size)
{
    size_t best = 0;

    for (size_t i = 0; i + 1 < report->policy_count; i++) {
        if (!report->policies[i]->offline &&
            value_of(report, column, i, size) > value_of(report, column, best, size)) {
            best = i;
        }
    }
    return best;
}

static void print_head(const struct report *report, const char *what, FILE *to)
{
    fprintf(to, "%-18s", what);
    for (size_t i = 0; i < report->size_count; i++) {
        fprintf(to, " %9.4g%%", report->share[i]);
    }
    fputc('\n', to);
}

static void print_table(const struct report *report, enum column column, FILE *to)
{
    size_t last = report->policy_count - 1;

    print_head(report, column == OBJECTS ? "objects, hit %" : "bytes, hit %", to);
    for (size_t policy = 0; policy <= last; policy++) {
        fprintf(to, "%-18s", report->policies[policy]->name);
        for (size_t i = 0; i < report->size_count; i++) {
            fprintf(to, " %10.2f", value_of(report, column, policy, i));
        }
        fputc('\n', to);
    }
    fprintf(to, "%-18s", "best practical");
    for (size_t i = 0; i < report->size_count; i++) {
        fprintf(to, " %10s", report->policies[best_practical(report, column, i)]->name);
    }
    fprintf(to, "\n%-18s", "beside it");
    for (size_t i = 0; i < report->size_count; i++) {
        size_t best = best_practical(report, column, i);
        fprintf(to, " %+10.2f",
                value_of(report, column, last, i) - value_of(report, column, best, i));
    }
    fputs("\n\n", to);
}

static void print_copied(const struct report *report, FILE *to)
{
    fprintf(to, "%-18s", "copied/inserted %");
    for (size_t i = 0; i < report->size_count; i++) {
        fprintf(to, " %10.2f", report_at(report, report->policy_count - 1, i)->copied);
    }
    fputs("\n\n", to);
}

void report_print(const struct report *report, FILE *to)
{
    fprintf(to, "%s\n%-18s", report->title, "capacity");
    for (size_t i = 0; i < report->size_count; i++) {
        fprintf(to, " %10" PRIu64, report->capacity[i]);
    }
    fputc('\n', to);
    print_table(report, OBJECTS, to);
    if (report->sized) {
        print_table(report, BYTES, to);
    }
    print_copied(report, to);
}

void report_tsv(const struct report *report, FILE *to)
{
    for (size_t policy = 0; policy < report->policy_count; policy++) {
        for (size_t i = 0; i < report->size_count; i++) {
            const struct outcome *outcome = report_at(report, policy, i);
            fprintf(to, "%s\t%s\t%g\t%" PRIu64 "\t%.4f\t%.4f\t%.4f\n", report->title,
                    report->policies[policy]->name, report->share[i], report->capacity[i],
                    outcome->objects, outcome->bytes, outcome->copied);
        }
    }
}
