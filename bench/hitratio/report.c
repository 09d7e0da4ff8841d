#include "bench/hitratio/report.h"

#include <inttypes.h>

enum column { OBJECTS, BYTES };

static double value_of(const struct report *report, enum column column, size_t policy, size_t size)
{
    const struct outcome *outcome = report_at(report, policy, size);

    return column == OBJECTS ? outcome->objects : outcome->bytes;
}

/* The best somebody else could have chosen. */
static size_t best_practical(const struct report *report, enum column column, size_t size)
{
    size_t best = 0;

    for (size_t i = 0; i < report->policy_count; i++) {
        if (!report->policies[i]->offline && !report->policies[i]->ours &&
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

static void print_distance(const struct report *report, enum column column, size_t policy, FILE *to)
{
    fprintf(to, "%-18s", report->policies[policy]->name);
    for (size_t i = 0; i < report->size_count; i++) {
        fprintf(to, " %+10.2f",
                value_of(report, column, policy, i) -
                    value_of(report, column, best_practical(report, column, i), i));
    }
    fputc('\n', to);
}

static void print_table(const struct report *report, enum column column, FILE *to)
{
    print_head(report, column == OBJECTS ? "objects, hit %" : "bytes, hit %", to);
    for (size_t policy = 0; policy < report->policy_count; policy++) {
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
    fputc('\n', to);
    for (size_t policy = 0; policy < report->policy_count; policy++) {
        if (report->policies[policy]->ours) {
            print_distance(report, column, policy, to);
        }
    }
    fputc('\n', to);
}

static void print_copied(const struct report *report, FILE *to)
{
    print_head(report, "copied/inserted %", to);
    for (size_t policy = 0; policy < report->policy_count; policy++) {
        if (report->policies[policy]->cost) {
            fprintf(to, "%-18s", report->policies[policy]->name);
            for (size_t i = 0; i < report->size_count; i++) {
                fprintf(to, " %10.2f", report_at(report, policy, i)->copied);
            }
            fputc('\n', to);
        }
    }
    fputc('\n', to);
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
