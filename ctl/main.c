/* main - larderctl: finds the verb, reads its arguments, and runs it. */
#include "base/conf.h"
#include "ctl/configured.h"
#include "ctl/fetch.h"
#include "ctl/verbs.h"

#include <stdio.h>

/* What a verb does unlike others. */
enum {
    MANY = 1,     /* takes any number of operands, which it checks itself */
    ASKS_DNS = 2, /* asks larder-dns, without --dns */
};

struct verb {
    const char *name, *usage, *what, *more;
    const char *operand; /* name of the operand, or NULL */
    int (*run)(const struct ctl_options *options);
    unsigned traits;
};

static const struct verb verbs[] = {
    {"status", "larderctl status [--admin ADDRESS] [--json]", "Show what larder-proxy is doing.",
     "Shows clients, requests by outcome, bytes, latency, memory and the store.\n\n"
     "  --admin ADDRESS  admin listener of larder-proxy: 127.0.0.1:3129 (default) or unix:/PATH\n"
     "  --json           print the answer as JSON\n\n"
     "Exit status: 0 shown, 1 the proxy does not answer, 2 wrong usage.\n",
     NULL, verb_status, 0},
    {"store", "larderctl store [--segments] [--admin ADDRESS] [--json]", "Show what is on disk.",
     "Shows, for each store directory, its state, how much is used and for what, the ages of its\n"
     "segments, the share of live data, the write rate, and what was evicted.\n\n"
     "  --segments       list every segment\n"
     "  --admin ADDRESS  admin listener of larder-proxy: 127.0.0.1:3129 (default) or unix:/PATH\n"
     "  --json           print the answer as JSON\n\n"
     "Exit status: 0 shown, 1 the proxy does not answer, 2 wrong usage.\n",
     NULL, verb_store, 0},
    {"verify", "larderctl verify [DIR... | --config FILE | --online]",
     "Check all stored data against its checksums.",
     "Without --online, reads store directories that no process is using, and changes nothing in\n"
     "them: the given ones, or those named in the configuration of larder-proxy. With --online, "
     "the\n"
     "running proxy checks its own store in the background and drops what is damaged; "
     "interrupting\n"
     "larderctl does not stop it, and larderctl store shows the result.\n\n"
     "  --config FILE    configuration that names the directories; default " CONFIGURED_DEFAULT "\n"
     "  --online         check the store of the running proxy\n"
     "  --rate MIB       with --online: read at most this many MiB/s; default 64, 0 is unlimited\n"
     "  --admin ADDRESS  admin listener of larder-proxy: 127.0.0.1:3129 (default) or unix:/PATH\n"
     "  --json           {\"directories\": [{\"path\", \"right\", \"damaged\", ...}]}\n\n"
     "Damaged data is never served, so there is nothing to repair.\n"
     "Exit status: 0 no damage, 1 damage, 2 the store could not be read.\n",
     "DIR", verb_verify, MANY},
    {"explain", "larderctl explain URL [-H 'NAME: VALUE']... [--client ADDRESS]",
     "Explain why a URL is or is not cached.",
     "Shows what the next request for URL would get, without making it: what is stored, how its "
     "age\n"
     "and lifetime were computed, which rule decides, and what would have to change.\n\n"
     "  -H, --header 'NAME: VALUE'  a request header field; may be repeated\n"
     "  --method METHOD             request method; default GET\n"
     "  --client ADDRESS            apply the access rules for this client, too\n"
     "  --user NAME                 with --client: as this user\n"
     "  --admin ADDRESS             admin listener: 127.0.0.1:3129 (default) or unix:/PATH\n"
     "  --json                      print the answer as JSON\n\n"
     "Write the URL as a client of the proxy does; for a site, /path with -H 'Host: NAME' works, "
     "too.\n"
     "Exit status: 0 shown, 1 the proxy does not answer, 2 wrong usage.\n",
     "URL", verb_explain, 0},
    {"purge", "larderctl purge URL... | --prefix URL | --host NAME | --all",
     "Remove responses from the cache.",
     "Removes what is stored, in memory and on disk, with all variants and ranges; responses "
     "being\n"
     "fetched at this moment are not stored. Once reported, a purge survives a crash.\n\n"
     "  --prefix URL     everything whose URL starts with this: http://www.example.net/img/\n"
     "  --host NAME      everything of this host: http and https, on any port\n"
     "  --all            everything\n"
     "  -H, --header 'NAME: VALUE'  a request header field: for a site, /path with -H 'Host: "
     "NAME'\n"
     "  --admin ADDRESS  admin listener of larder-proxy: 127.0.0.1:3129 (default) or unix:/PATH\n"
     "  --json           print one JSON object per purge\n\n"
     "URLs are written as for explain. A URL that was not stored is no error.\n"
     "Exit status: 0 purged, 1 the proxy does not answer or could not record the purge on disk, 2\n"
     "wrong usage or invalid URL.\n",
     "URL", verb_purge, MANY},
    {"dns", "larderctl dns [explain NAME] [--client PREFIX] [--json]",
     "Show what larder-dns is doing, or why it answers so.",
     "Shows the replicas: their state, since when and why, their share of answers, their load, "
     "and\n"
     "the records set by dynamic update.\n\n"
     "With explain NAME, shows why a client gets the replica it gets: the map and prefix that\n"
     "decided, the order of the replicas, why any was skipped, and the answer.\n\n"
     "  --client PREFIX  with explain: the address or network of the client; default 127.0.0.1\n"
     "  --type TYPE      with explain: A (default), AAAA, TYPE65, ...\n"
     "  --admin ADDRESS  admin listener of larder-dns: 127.0.0.1:3130 (default) or unix:/PATH\n"
     "  --json           print the answer as JSON\n\n"
     "Exit status: 0 shown, 1 larder-dns does not answer, 2 wrong usage.\n",
     "explain NAME", verb_dns, ASKS_DNS | MANY},
    {"drain", "larderctl drain REPLICA [--admin ADDRESS] [--json]",
     "Send no more clients to a replica.",
     "Makes larder-dns leave the replica out of its answers while others are up. Clients are gone\n"
     "once the TTL of its names has passed. This lasts until larderctl undrain, or until "
     "larder-dns\n"
     "stops if its configuration has no \"state\"; \"drain: yes\" in the configuration is "
     "permanent.\n\n"
     "  --admin ADDRESS  admin listener of larder-dns: 127.0.0.1:3130 (default) or unix:/PATH\n"
     "  --json           print the answer as JSON\n\n"
     "Exit status: 0 done, 1 larder-dns does not answer, 2 no such replica.\n",
     "REPLICA", verb_drain, ASKS_DNS},
    {"undrain", "larderctl undrain REPLICA [--admin ADDRESS] [--json]",
     "Send clients to a replica again.",
     "Ends what larderctl drain began.\n\n"
     "  --admin ADDRESS  admin listener of larder-dns: 127.0.0.1:3130 (default) or unix:/PATH\n"
     "  --json           print the answer as JSON\n\n"
     "Exit status: 0 done, 1 larder-dns does not answer, 2 no such replica.\n",
     "REPLICA", verb_drain, ASKS_DNS},
    {"check", "larderctl check [--proxy|--dns] [--json] FILE", "Check a configuration file.",
     "Runs larder-proxy --check or larder-dns --check on FILE. A file with zones or replicas is "
     "taken\n"
     "for one of larder-dns.\n\n"
     "  --proxy, --dns   say whose file it is\n"
     "  --json           {\"file\", \"good\", \"errors\": [{\"line\", \"column\", \"text\"}], "
     "\"notes\": [...]}\n\n"
     "All errors are reported, as \"file:line:column: what; expected ...; did you mean ...?\".\n"
     "Exit status: 0 no errors, 1 errors, 2 wrong usage or program not found.\n",
     "FILE", verb_check, 0},
    {"diff", "larderctl diff [--dns] [--admin ADDRESS] [--json] [FILE]",
     "Show what a reload would change.",
     "Compares the configuration in force with the file as it is now, or with FILE, and shows what "
     "a\n"
     "reload changes and what needs a restart. Changes nothing.\n\n"
     "  --dns            larder-dns instead of larder-proxy\n"
     "  --admin ADDRESS  admin listener: 127.0.0.1:3129 by default, with --dns 127.0.0.1:3130;\n"
     "                   or unix:/PATH\n"
     "  --json           {\"changes\": [{\"path\", \"kind\", \"before\", \"after\", \"origin\", "
     "\"by\"}]}\n\n"
     "Exit status: 0 no difference, 1 differences, 2 errors in the configuration, or no answer.\n",
     "FILE", verb_diff, MANY},
    {"reload", "larderctl reload [--dns] [--admin ADDRESS] [--json]",
     "Apply the changed configuration.",
     "Makes the running daemon read and apply its configuration, waits until every worker uses "
     "it,\n"
     "and shows what has changed. If there are errors, they are shown and the old configuration "
     "stays\n"
     "in force. No connection is closed; requests in progress finish under the old "
     "configuration.\n\n"
     "  --dns            larder-dns instead of larder-proxy\n"
     "  --admin ADDRESS  admin listener: 127.0.0.1:3129 by default, with --dns 127.0.0.1:3130;\n"
     "                   or unix:/PATH\n"
     "  --json           print the answer as JSON\n\n"
     "Exit status: 0 applied, 1 not applied, 2 wrong usage.\n",
     NULL, verb_reload, 0},
    {"upgrade", "larderctl upgrade [--dns] [--admin ADDRESS] [--wait SECONDS]",
     "Replace the running process without downtime.",
     "Starts a new process with the arguments of the running one and --takeover. It takes over "
     "the\n"
     "listening sockets and serves; the old process finishes its requests and ends. Use it for a "
     "new\n"
     "version (the program next to larderctl, or in PATH) or for settings that need a restart. "
     "Both\n"
     "processes need the directive \"takeover\" and must run as the same user as larderctl. Waits "
     "until\n"
     "the new process serves, and shows its messages until then.\n\n"
     "  --dns            larder-dns instead of larder-proxy; it must not use \"state\"\n"
     "  --admin ADDRESS  admin listener: 127.0.0.1:3129 by default, with --dns 127.0.0.1:3130;\n"
     "                   or unix:/PATH\n"
     "  --wait SECONDS   end a new process that does not serve within this time: 60 by default\n\n"
     "Exit status: 0 the new process serves, 1 it does not and nothing has changed, 2 wrong "
     "usage.\n",
     NULL, verb_upgrade, 0},
    {"reopen", "larderctl reopen [--admin ADDRESS]", "Reopen log files after rotation.",
     "Makes the running larder-proxy reopen its access log files, like SIGUSR1.\n\n"
     "  --admin ADDRESS  admin listener of larder-proxy: 127.0.0.1:3129 (default) or unix:/PATH\n\n"
     "Exit status: 0 done, 1 a file could not be opened or the proxy does not answer, 2 wrong "
     "usage.\n",
     NULL, verb_reopen, 0},
    {"tail", "larderctl tail [FILTER]... [-n COUNT] [--json]", "Show requests as they finish.",
     "Prints one line per request: time, client, outcome, status, bytes, duration, URL and "
     "reason.\n"
     "With several filters, all must match.\n\n"
     "  --host PATTERN     host of the URL: '*.example.net'\n"
     "  --path PATTERN     path and query: '/images/*'\n"
     "  --client PREFIX    client address or network\n"
     "  --outcome WORD     hit, hit-memory, miss, pass, denied, error, ...\n"
     "  --reason WORD      a reason from docs/explain.md\n"
     "  --status STATUS    404, 5xx or 400-499\n"
     "  --slower MS        took longer than this many milliseconds\n"
     "  -n, --count COUNT  stop after this many requests\n"
     "  --admin ADDRESS    admin listener: 127.0.0.1:3129 (default) or unix:/PATH\n"
     "  --json             print lines of the JSON access log\n\n"
     "If you read too slowly, lines are dropped and counted; the proxy never waits.\n"
     "Exit status: 0 done or interrupted, 1 the proxy does not answer, 2 wrong usage.\n",
     NULL, verb_tail, 0},
    {"top", "larderctl top [--by WHAT] [FILTER]... [--once]",
     "Show the most frequent requests, live.",
     "Shows requests and bytes per second, the share served from the cache and the mean time, "
     "over\n"
     "about the last minute. Keys: h host, c client, u URL, o outcome, r reason, s status, t "
     "type,\n"
     "m method; q quits.\n\n"
     "  --by WHAT          host (default), client, url, outcome, reason, status, type or method\n"
     "  --once             print one table and stop: two seconds of traffic, or --count requests\n"
     "  -n, --count COUNT  with --once: this many requests\n"
     "  --host, --path, --client, --outcome, --reason, --status, --slower  filters, as for tail\n"
     "  --admin ADDRESS    admin listener: 127.0.0.1:3129 (default) or unix:/PATH\n\n"
     "Exit status: 0 done, 1 the proxy does not answer, 2 wrong usage.\n",
     NULL, verb_top, 0},
    {"import-squid", "larderctl import-squid [--lists DIR] [--root DIR] FILE",
     "Convert a squid.conf.",
     "Prints the Squid configuration FILE as one for larder-proxy, with the original lines as\n"
     "comments. Lists on standard error whatever could not be translated, with line and reason. "
     "Rules\n"
     "marked LOOK AT THIS may let in clients that Squid kept out. Included files and host lists "
     "are\n"
     "read, too. See docs/import-squid.md.\n\n"
     "  --lists DIR  write long host lists to DIR when their syntax differs\n"
     "  --root DIR   read absolute paths below DIR: DIR/etc/squid/...\n\n"
     "Exit status: 0 all translated, 1 not all, 2 FILE cannot be read.\n",
     "FILE", verb_import, 0},
};

static void print_usage(FILE *to)
{
    fputs("larderctl " LARDER_VERSION " - look inside larder-proxy and larder-dns\n\n"
          "usage: larderctl VERB [OPTION]...\n\n",
          to);
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        fprintf(to, "  %-14s%s\n", verbs[i].name, verbs[i].what);
    }
    fputs("\nlarderctl VERB --help describes a verb and its options; larderctl(1) has everything.\n"
          "Exit status: 0 success, 1 failure, 2 wrong usage.\n",
          to);
}

static void print_help(const struct verb *verb)
{
    printf("usage: %s\n\n%s", verb->usage, verb->more);
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
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

static int complain(const char *what, const char *word, const char *const *known, size_t count,
                    const char *verb)
{
    const char *closest = conf_closest(word, known, count);

    fprintf(stderr, "larderctl: %s \"%s\"; %s%s%slarderctl %s%s--help lists them\n", what, word,
            closest ? "did you mean \"" : "", closest ? closest : "", closest ? "\"? " : "", verb,
            verb[0] ? " " : "");
    return CTL_USAGE;
}

/* Is the option one of the verb? Then its help names it. */
static bool takes(const struct verb *verb, const char *option)
{
    size_t len = strlen(option);

    for (const char *at = verb->more; (at = strstr(at, option)) != NULL; at += len) {
        bool begins = at == verb->more || strchr(" \n", at[-1]);
        if (begins && at[len] && strchr(" ,\n", at[len])) {
            return true;
        }
    }
    return strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0;
}

static int unknown_option(const struct verb *verb, const char *word)
{
    static const char *const known[] = {
        "--admin",    "--json",   "--proxy", "--dns",    "--method", "--client", "--header",
        "--segments", "--online", "--rate",  "--config", "--type",   "--help",   "--host",
        "--outcome",  "--reason", "--path",  "--slower", "--status", "--count",  "--by",
        "--once",     "--lists",  "--root",  "--prefix", "--all",    "--user",   "--wait"};
    const char *mine[ARRAY_LEN(known)];

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        mine[i] = takes(verb, known[i]) ? known[i] : NULL;
    }
    return complain("unknown option", word, mine, ARRAY_LEN(known), verb->name);
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
        {"--prefix", &options->prefix}, {"--wait", &options->wait},
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
        {"-h", &options->help},         {"--once", &options->once},
        {"--all", &options->all},
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
static int read_argument(const struct verb *verb, struct ctl_options *options, int argc,
                         char **argv, int *i)
{
    const char *word = argv[*i];
    bool is_option = word[0] == '-' && word[1];
    bool is_admin = strncmp(word, "--admin=", 8) == 0;

    if (is_option && !takes(verb, is_admin ? "--admin" : word)) {
        return unknown_option(verb, word);
    }
    const char **value = value_of(options, word);
    bool *flag = flag_of(options, word);

    if (flag) {
        *flag = true;
    } else if (strcmp(word, "--proxy") == 0) {
        options->program = CTL_PROXY;
    } else if (strcmp(word, "--dns") == 0) {
        options->program = CTL_DNS;
    } else if (is_admin) {
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
    } else if (is_option) { /* a part of a help, but no option: "--proxy," */
        return unknown_option(verb, word);
    } else {
        return take_operand(options, word);
    }
    return CTL_GOOD;
}

static bool check_operands(const struct verb *verb, const struct ctl_options *options)
{
    if (verb->traits & MANY) {
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

/* Completes options->admin. False: it is no address. */
static bool find_admin(const struct verb *verb, struct ctl_options *options, struct buf *out)
{
    bool is_dns = verb->traits & ASKS_DNS || options->program == CTL_DNS;
    struct buf why = BUF_INIT;
    int err =
        fetch_address(options->admin, is_dns ? FETCH_DNS_ADMIN : FETCH_PROXY_ADMIN, out, &why);

    if (err) {
        fprintf(stderr, "larderctl: --admin: %.*s\n", SPAN_ARGS(buf_span(&why)));
    }
    buf_fini(&why);
    options->admin = err ? NULL : buf_span(out).at;
    return !err;
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
    struct ctl_options options = {.verb = verb->name};
    struct buf admin = BUF_INIT;
    int status = CTL_GOOD;

    for (int i = 2; i < argc && status == CTL_GOOD; i++) {
        status = read_argument(verb, &options, argc, argv, &i);
    }
    if (status != CTL_GOOD) {
        return status;
    }
    if (options.help) {
        print_help(verb);
        return CTL_GOOD;
    }
    bool good = check_operands(verb, &options) && find_admin(verb, &options, &admin);
    status = good ? verb->run(&options) : CTL_USAGE;
    buf_fini(&admin);
    return status;
}

static int run(int argc, char **argv)
{
    const char *names[ARRAY_LEN(verbs)];

    if (argc < 2) {
        print_usage(stderr);
        return CTL_USAGE;
    }
    if (is_help(argv[1])) {
        const struct verb *about = argc > 2 ? find_verb(argv[2]) : NULL;
        about ? print_help(about) : print_usage(stdout);
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
    return complain("unknown verb", argv[1], names, ARRAY_LEN(names), "");
}

/* Whoever reads what was printed must not take a part of it for all. */
static int close_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return status;
    }
    fprintf(stderr, "larderctl: not all of the output could be written\n");
    return status == CTL_GOOD ? CTL_BAD : status;
}

int main(int argc, char **argv)
{
    return close_output(run(argc, argv));
}
