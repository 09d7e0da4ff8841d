#include "base/conf.h"
#include "ctl/verbs.h"

#include <stdio.h>

struct verb {
    const char *name, *usage, *what, *more;
    bool takes_file;
    int (*run)(const struct ctl_options *options);
};

static const struct verb verbs[] = {
    {"status", "larderctl status [--admin ADDRESS] [--json]", "What larder-proxy is doing.",
     "Asks the admin listener for /status and shows it as a table.\n\n"
     "  --admin ADDRESS  where it listens: 127.0.0.1:3129 (the default) or unix:/PATH\n"
     "  --json           the answer as it comes\n\n"
     "Exit status: 0 it answers, 1 it does not, 2 wrong usage.\n",
     false, verb_status},
    {"check", "larderctl check [--proxy|--dns] [--json] FILE", "Is a configuration good?",
     "Has larder-proxy or larder-dns check the file, by its own rules, without starting. A file\n"
     "with zones or replicas is larder-dns's.\n\n"
     "  --proxy, --dns   whose file it is, when that is not clear\n"
     "  --json           {\"file\", \"good\", \"errors\": [{\"line\", \"column\", \"text\"}]}\n\n"
     "Errors are lines \"file:line:column: what; expected ...; did you mean ...?\".\n"
     "Exit status: 0 good, 1 errors in the file, 2 wrong usage or no such program.\n",
     true, verb_check},
};

static void print_usage(FILE *to)
{
    fputs("larderctl " LARDER_VERSION ", for larder-proxy and larder-dns\n\nusage:\n", to);
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        fprintf(to, "  %-50s %s\n", verbs[i].usage, verbs[i].what);
    }
    fputs("  larderctl VERB --help\n  larderctl --version\n\n"
          "Exit status: 0 good, 1 not, 2 wrong usage.\n",
          to);
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

static int complain(const char *what, const char *word, const char *const *known, size_t count)
{
    const char *closest = conf_closest(word, known, count);

    fprintf(stderr, "larderctl: %s \"%s\"; %s%s%slarderctl --help lists them\n", what, word,
            closest ? "did you mean \"" : "", closest ? closest : "", closest ? "\"? " : "");
    return CTL_USAGE;
}

/* One argument behind the verb. *i is at it and is left at the last one used. */
static int read_argument(struct ctl_options *options, int argc, char **argv, int *i)
{
    static const char *const known[] = {"--admin", "--json", "--proxy", "--dns", "--help"};
    const char *word = argv[*i];

    if (strcmp(word, "--json") == 0) {
        options->json = true;
    } else if (strcmp(word, "--help") == 0) {
        options->help = true;
    } else if (strcmp(word, "--proxy") == 0) {
        options->program = CTL_PROXY;
    } else if (strcmp(word, "--dns") == 0) {
        options->program = CTL_DNS;
    } else if (strncmp(word, "--admin=", 8) == 0) {
        options->admin = word + 8;
    } else if (strcmp(word, "--admin") == 0 && *i + 1 < argc) {
        options->admin = argv[++*i];
    } else if (strcmp(word, "--admin") == 0) {
        fprintf(stderr, "larderctl: --admin needs an ADDRESS\n");
        return CTL_USAGE;
    } else if (word[0] == '-' && word[1]) {
        return complain("unknown option", word, known, ARRAY_LEN(known));
    } else if (options->file) {
        fprintf(stderr, "larderctl: one file at a time; \"%s\" is a second\n", word);
        return CTL_USAGE;
    } else {
        options->file = word;
    }
    return CTL_GOOD;
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
    struct ctl_options options = {.verb = verb->name};
    int status = CTL_GOOD;

    for (int i = 2; i < argc && status == CTL_GOOD; i++) {
        status = read_argument(&options, argc, argv, &i);
    }
    if (status != CTL_GOOD) {
        return status;
    }
    if (options.help) {
        printf("usage: %s\n\n%s", verb->usage, verb->more);
        return CTL_GOOD;
    }
    if (verb->takes_file != (options.file != NULL)) {
        fprintf(stderr, "larderctl: %s %s; usage: %s\n", verb->name,
                verb->takes_file ? "needs a FILE" : "takes no file", verb->usage);
        return CTL_USAGE;
    }
    return verb->run(&options);
}

int main(int argc, char **argv)
{
    const char *names[ARRAY_LEN(verbs)];

    if (argc < 2) {
        print_usage(stderr);
        return CTL_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return CTL_GOOD;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("larderctl " LARDER_VERSION);
        return CTL_GOOD;
    }
    const struct verb *verb = find_verb(argv[1]);
    if (verb) {
        return run_verb(verb, argc, argv);
    }
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        names[i] = verbs[i].name;
    }
    return complain("unknown verb", argv[1], names, ARRAY_LEN(names));
}
