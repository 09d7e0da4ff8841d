#include "base/conf.h"
#include "ctl/configured.h"
#include "ctl/verbs.h"

#include <stdio.h>

struct verb {
    const char *name, *usage, *what, *more;
    const char *operand; /* what it takes, or NULL */
    int (*run)(const struct ctl_options *options);
    bool many; /* operands, or none: it looks itself */
};

static const struct verb verbs[] = {
    {"status", "larderctl status [--admin ADDRESS] [--json]", "What larder-proxy is doing.",
     "Asks the admin listener for /status and shows it as a table.\n\n"
     "  --admin ADDRESS  where it listens: 127.0.0.1:3129 (the default) or unix:/PATH\n"
     "  --json           the answer as it comes\n\n"
     "Exit status: 0 it answers, 1 it does not, 2 wrong usage.\n",
     NULL, verb_status, false},
    {"store", "larderctl store [--segments] [--json]", "What is on disk.",
     "Asks the admin listener about each directory of the store: what it uses, its two logs of\n"
     "segments, how much of them is live, how fast it is written, what was evicted and kept.\n\n"
     "  --segments       all segments, too\n"
     "  --admin ADDRESS  where it listens: 127.0.0.1:3129 (the default) or unix:/PATH\n"
     "  --json           the answer as it comes\n\n"
     "Exit status: 0 it answers, 1 it does not, 2 wrong usage.\n",
     NULL, verb_store, false},
    {"verify", "larderctl verify [DIR... | --config FILE | --online]", "Is what is stored right?",
     "Reads all that is stored and holds every checksum against it. Directories that no process\n"
     "has are looked at from outside, and nothing in them is changed; without any, those that the\n"
     "configuration of larder-proxy names. With --online the running proxy does it beside its\n"
     "work, and what is damaged is dropped; interrupting larderctl does not stop it, and "
     "larderctl\n"
     "store tells how it ended.\n\n"
     "  --config FILE    the configuration; " CONFIGURED_DEFAULT " is the default\n"
     "  --online         the store of the running proxy\n"
     "  --rate MIB       of --online: read at most so many MiB a second; 64 by default, 0: no "
     "limit\n"
     "  --admin ADDRESS  where it listens: 127.0.0.1:3129 (the default) or unix:/PATH\n"
     "  --json           {\"directories\": [{\"path\", \"right\", \"damaged\", ...}]}\n\n"
     "Damage is never served: the proxy treats it as a miss, and drops what it meets; so there is\n"
     "nothing to repair. Exit status: 0 all right, 1 damage, 2 it could not be looked at.\n",
     "DIR", verb_verify, true},
    {"explain", "larderctl explain URL [-H FIELD]... [--json]", "Why (not) from the cache?",
     "Asks the admin listener what the next such request would get, without making it: what is\n"
     "stored, how old it is and how it was reckoned, which rule decides, what would have to "
     "change.\n\n"
     "  -H, --header 'NAME: VALUE'  a field of the request; may be repeated\n"
     "  --method METHOD             GET by default\n"
     "  --client ADDRESS            whether this client would be let in, too, and by which rule\n"
     "  --user NAME                 as if it had said that it is this user of `users`\n"
     "  --admin ADDRESS             where it listens: 127.0.0.1:3129 (the default) or unix:/PATH\n"
     "  --json                      the answer as it comes\n\n"
     "A URL is as a client of the proxy says it; of a site also /path with -H 'Host: NAME'.\n"
     "Exit status: 0 it answers, 1 it does not, 2 wrong usage.\n",
     "URL", verb_explain, false},
    {"purge", "larderctl purge URL... | --prefix URL | --host NAME | --all", "Out of the cache.",
     "What is stored is not found any more, in memory and on disk, with all variants and parts, "
     "and\n"
     "what is on its way is not stored. When it is said so it stays so, whatever happens. The "
     "next\n"
     "request is fetched from the origin.\n\n"
     "  --prefix URL     all whose URL begins so: http://www.example.net/img/\n"
     "  --host NAME      all of a host, http and https, whatever the port\n"
     "  --all            everything\n"
     "  -H, --header 'NAME: VALUE'  of a site: /path with -H 'Host: NAME'\n"
     "  --admin ADDRESS  where it listens: 127.0.0.1:3129 (the default) or unix:/PATH\n"
     "  --json           the answers as they come, a line each\n\n"
     "A URL is as for explain. What was found is said for each; not to be stored is no error.\n"
     "Exit status: 0 it is gone, 1 nobody answers or the store could not write it down, 2 wrong\n"
     "usage, or no URL.\n",
     "URL", verb_purge, true},
    {"dns", "larderctl dns [explain NAME] [--json]", "What larder-dns is doing, and why.",
     "Asks the admin listener of larder-dns about its replicas: their state, why and since when,\n"
     "their share of the answers, their load, and whether they are too full for some clients; and\n"
     "what is bound by dynamic update.\n\n"
     "With explain NAME: why a client gets the replica it gets: which map and prefix decided, in "
     "what\n"
     "order the replicas stood, why any was passed over, and the answer.\n\n"
     "  --client PREFIX  of explain: the client's address or network\n"
     "  --type TYPE      of explain: A by default, AAAA, TYPE65, ...\n"
     "  --admin ADDRESS  where it listens: 127.0.0.1:3130 (the default)\n"
     "  --json           the answer as it comes\n\n"
     "Exit status: 0 it answers, 1 it does not, 2 wrong usage.\n",
     "explain NAME", verb_dns, true},
    {"drain", "larderctl drain REPLICA [--admin ADDRESS]", "No more clients for a replica.",
     "Has larder-dns give the replica to nobody while others are up: it is empty within the ttl "
     "of\n"
     "its names. Until larderctl undrain or, without the directive state, the end of\n"
     "larder-dns; `drain: yes` in its configuration lasts.\n\n"
     "  --admin ADDRESS  of larder-dns: 127.0.0.1:3130 (the default)\n\n"
     "Exit status: 0 done, 1 it does not answer, 2 no such replica.\n",
     "REPLICA", verb_drain, false},
    {"undrain", "larderctl undrain REPLICA [--admin ADDRESS]", "The replica has clients again.",
     "Ends larderctl drain.\n\n"
     "  --admin ADDRESS  of larder-dns: 127.0.0.1:3130 (the default)\n\n"
     "Exit status: 0 done, 1 it does not answer, 2 no such replica.\n",
     "REPLICA", verb_drain, false},
    {"check", "larderctl check [--proxy|--dns] [--json] FILE", "Is a configuration good?",
     "Has larder-proxy or larder-dns check the file, by its own rules, without starting. A file\n"
     "with zones or replicas is larder-dns's.\n\n"
     "  --proxy, --dns   whose file it is, when that is not clear\n"
     "  --json           {\"file\", \"good\", \"errors\": [{\"line\", \"column\", \"text\"}]}\n\n"
     "Errors are lines \"file:line:column: what; expected ...; did you mean ...?\".\n"
     "Exit status: 0 good, 1 errors in the file, 2 wrong usage or no such program.\n",
     "FILE", verb_check, false},
    {"diff", "larderctl diff [--dns] [--admin ADDRESS] [--json] [FILE]",
     "What would a reload, or FILE, change?",
     "Shows what differs between what is in force and the configuration that the running\n"
     "larder-proxy was started with, as it is written now: what a reload changes, and what only a\n"
     "restart does. With FILE: that file in its place. Nothing is changed.\n\n"
     "  --dns            of larder-dns\n"
     "  --admin ADDRESS  where it listens: 127.0.0.1:3129 (the default; of larder-dns 3130) or\n"
     "                   unix:/PATH\n"
     "  --json           {\"changes\": [{\"path\", \"kind\", \"before\", \"after\", \"origin\", "
     "\"by\"}]}\n\n"
     "Exit status: 0 no difference, 1 some, 2 errors in the configuration, or nothing answers.\n",
     "FILE", verb_diff, true},
    {"reload", "larderctl reload [--dns] [--admin ADDRESS] [--json]",
     "Take over the configuration.",
     "Has the running larder-proxy read its configuration and take it over, waits until every "
     "event\n"
     "loop has, and shows what has changed. With errors in it the old one stays in force, and the\n"
     "errors are shown. No connection is closed; requests under way end by the old rules.\n\n"
     "  --dns            larder-dns\n"
     "  --admin ADDRESS  where it listens: 127.0.0.1:3129 (the default; of larder-dns 3130) or\n"
     "                   unix:/PATH\n"
     "  --json           the answer as it comes\n\n"
     "Exit status: 0 taken over, 1 not, 2 wrong usage.\n",
     NULL, verb_reload, false},
    {"upgrade", "larderctl upgrade [--dns] [--admin ADDRESS]", "A newer process serves instead.",
     "Starts larder-proxy as the running one was started, with --takeover: it takes the listening\n"
     "sockets, serves, and the running one ends what it has begun. So a new version (the program\n"
     "beside larderctl, or in PATH) comes into use, or what only a restart changes in the\n"
     "configuration, and nobody is refused. Both need the directive takeover, and must be of the\n"
     "same user, who is to run larderctl, too. Waits until the newer one serves; what it says "
     "until\n"
     "then, such as why it cannot start, is shown; from then on it goes where the older one says "
     "it.\n\n"
     "  --dns            larder-dns, if it has no state\n"
     "  --admin ADDRESS  where it listens: 127.0.0.1:3129 (the default; of larder-dns 3130) or\n"
     "                   unix:/PATH\n\n"
     "Exit status: 0 the newer one serves, 1 it does not, and nothing has changed, 2 wrong "
     "usage.\n",
     NULL, verb_upgrade, false},
    {"reopen", "larderctl reopen [--admin ADDRESS]", "The logs were moved away.",
     "Has the running larder-proxy open the files of its access logs anew, as after logrotate has\n"
     "moved them away. The same as SIGUSR1.\n\n"
     "  --admin ADDRESS  where it listens: 127.0.0.1:3129 (the default) or unix:/PATH\n\n"
     "Exit status: 0 done, 1 it does not answer, 2 wrong usage.\n",
     NULL, verb_reopen, false},
    {"tail", "larderctl tail [FILTER]... [-n COUNT] [--json]", "Decisions as they are made.",
     "Shows each request as it ends: when, for whom, outcome and status, bytes, how long it took,\n"
     "the URL, and the reason. All filters given must hold.\n\n"
     "  --host PATTERN     the host of the URL: *.example.net\n"
     "  --path PATTERN     its path and query: '/images/*'\n"
     "  --client PREFIX    the client's address or network\n"
     "  --outcome WORD     hit, hit-memory, miss, pass, denied, error, ...\n"
     "  --reason WORD      as in docs/explain.md\n"
     "  --status STATUS    404, 5xx or 400-499\n"
     "  --slower MS        that took longer, in milliseconds\n"
     "  -n, --count COUNT  end after so many\n"
     "  --admin ADDRESS    where it listens: 127.0.0.1:3129 (the default) or unix:/PATH\n"
     "  --json             lines of JSON, those of the access log\n\n"
     "Whoever reads too slowly loses some, and is told how many; the proxy does not wait.\n"
     "Exit status: 0 it was interrupted or has shown all, 1 the proxy is not there, 2 wrong "
     "usage.\n",
     NULL, verb_tail, false},
    {"top", "larderctl top [--by WHAT] [FILTER]... [--once]", "The most frequent requests, live.",
     "Shows what is asked for most, with requests and bytes a second, the share that came from "
     "the\n"
     "cache, and how long it took; over about the last minute. Keys: h host, c client, u URL,\n"
     "o outcome, r reason, s status, t type; q quits.\n\n"
     "  --by WHAT          host (the default), client, url, outcome, reason, status, type or "
     "method\n"
     "  --once             one table for a script, of what comes in two seconds, or of --count\n"
     "  -n, --count COUNT  of --once: of so many requests\n"
     "  --host, --path, --client, --outcome, --reason, --status, --slower  as for tail\n"
     "  --admin ADDRESS    where it listens: 127.0.0.1:3129 (the default) or unix:/PATH\n\n"
     "Exit status: 0 good, 1 the proxy is not there, 2 wrong usage.\n",
     NULL, verb_top, false},
    {"import-squid", "larderctl import-squid [--lists DIR] [--root DIR] FILE",
     "From Squid's configuration to ours.",
     "Prints what squid.conf says as a file for larder-proxy, with the lines it is from as "
     "comments,\n"
     "and lists on standard error what is not in it, each with its line and why. Rules that deny "
     "and\n"
     "are not understood are marked: without them somebody may be let in who is to stay out. See\n"
     "docs/squid.md. Files that it includes, and lists that it names, are read, too.\n\n"
     "  --lists DIR  write long lists of hosts there, where Squid's mean something else than ours\n"
     "  --root DIR   where the machine's files are, if not in /: DIR/etc/squid/...\n\n"
     "Exit status: 0 all is translated, 1 not all, 2 the file cannot be read.\n",
     "FILE", verb_import, false},
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

static bool is_field(const char *word)
{
    return strcmp(word, "-H") == 0 || strcmp(word, "--header") == 0;
}

/* Where the value of an option goes, or NULL when it has none. */
static const char **value_of(struct ctl_options *options, const char *word)
{
    const struct {
        const char *name;
        const char **value;
    } values[] = {
        {"--admin", &options->admin},   {"--method", &options->method},
        {"--client", &options->client}, {"--type", &options->type},
        {"--rate", &options->rate},     {"--config", &options->config},
        {"--host", &options->host},     {"--outcome", &options->outcome},
        {"--reason", &options->reason}, {"--status", &options->status},
        {"--path", &options->path},     {"--slower", &options->slower},
        {"--count", &options->count},   {"-n", &options->count},
        {"--by", &options->by},         {"--user", &options->user},
        {"--lists", &options->lists},   {"--root", &options->root},
        {"--prefix", &options->prefix},
    };

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        if (strcmp(word, values[i].name) == 0) {
            return values[i].value;
        }
    }
    return is_field(word) && options->field_count < CTL_FIELDS_MAX
               ? &options->fields[options->field_count]
               : NULL;
}

/* Options without a value. */
static bool *flag_of(struct ctl_options *options, const char *word)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {
        {"--json", &options->json},     {"--segments", &options->segments},
        {"--online", &options->online}, {"--help", &options->help},
        {"--once", &options->once},     {"--all", &options->all},
    };

    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        if (strcmp(word, flags[i].name) == 0) {
            return flags[i].flag;
        }
    }
    return NULL;
}

static int take_operand(struct ctl_options *options, const char *word)
{
    if (options->operand_count == CTL_OPERANDS_MAX) {
        fprintf(stderr, "larderctl: at most %d at a time\n", CTL_OPERANDS_MAX);
        return CTL_USAGE;
    }
    options->operands[options->operand_count++] = word;
    options->operand = options->operands[0];
    return CTL_GOOD;
}

/* One argument behind the verb. *i is at it and is left at the last one used. */
static int read_argument(struct ctl_options *options, int argc, char **argv, int *i)
{
    static const char *const known[] = {
        "--admin",    "--json",   "--proxy", "--dns",    "--method", "--client", "--header",
        "--segments", "--online", "--rate",  "--config", "--type",   "--help",   "--host",
        "--outcome",  "--reason", "--path",  "--slower", "--status", "--count",  "--by",
        "--once",     "--lists",  "--root",  "--prefix", "--all"};
    const char *word = argv[*i];
    const char **value = value_of(options, word);
    bool *flag = flag_of(options, word);

    if (flag) {
        *flag = true;
    } else if (strcmp(word, "--proxy") == 0) {
        options->program = CTL_PROXY;
    } else if (strcmp(word, "--dns") == 0) {
        options->program = CTL_DNS;
    } else if (strncmp(word, "--admin=", 8) == 0) {
        options->admin = word + 8;
    } else if (value && *i + 1 == argc) {
        fprintf(stderr, "larderctl: %s needs a value\n", word);
        return CTL_USAGE;
    } else if (value) {
        *value = argv[++*i];
        options->field_count += is_field(word);
    } else if (is_field(word) && options->field_count == CTL_FIELDS_MAX) {
        fprintf(stderr, "larderctl: at most %d fields\n", CTL_FIELDS_MAX);
        return CTL_USAGE;
    } else if (word[0] == '-' && word[1]) {
        return complain("unknown option", word, known, ARRAY_LEN(known));
    } else {
        return take_operand(options, word);
    }
    return CTL_GOOD;
}

static bool check_operands(const struct verb *verb, const struct ctl_options *options)
{
    if (verb->many) {
        return true;
    }
    if (options->operand_count > 1) {
        fprintf(stderr, "larderctl: one at a time; \"%s\" is a second\n", options->operands[1]);
        return false;
    }
    if ((verb->operand != NULL) != (options->operand != NULL)) {
        fprintf(stderr, "larderctl: %s %s %s; usage: %s\n", verb->name,
                verb->operand ? "needs a" : "takes no", verb->operand ? verb->operand : "operand",
                verb->usage);
        return false;
    }
    return true;
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
    return check_operands(verb, &options) ? verb->run(&options) : CTL_USAGE;
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
