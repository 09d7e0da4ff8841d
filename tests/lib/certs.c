#include "tests/lib/certs.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static char folder[64];

__attribute__((format(printf, 1, 2))) static void run(const char *format, ...)
{
    char command[2048];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    CHECK(len > 0 && (size_t)len < sizeof(command));
    CHECK(system(command) == 0);
}

static void make_ca(const char *name)
{
    run("cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 "
        "-keyout %s.key -out %s.pem -subj '/CN=%s of the tests' 2>/dev/null",
        folder, name, name, name);
}

const char *certs_make(void)
{
    snprintf(folder, sizeof(folder), "/tmp/larder-certs-XXXXXX");
    CHECK(mkdtemp(folder));
    make_ca("ca");
    make_ca("other");
    return folder;
}

void certs_remove(void)
{
    run("rm -rf %s", folder);
}

void certs_sign(const char *name, const char *names, int days)
{
    run("cd %s && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout %s.key "
        "-subj /CN=%s -out %s.csr 2>/dev/null && echo 'subjectAltName=%s' >%s.ext",
        folder, name, name, name, names, name);
    /* `openssl x509` knows only days from now: an expired one ended a day ago. */
    run("cd %s && openssl x509 -req -in %s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days %d "
        "-extfile %s.ext -out %s.pem 2>/dev/null",
        folder, name, days ? days : -1, name, name);
}

const char *certs_path(const char *name)
{
    static char paths[32][128];
    static unsigned next;
    char *path = paths[next++ % 32];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}
