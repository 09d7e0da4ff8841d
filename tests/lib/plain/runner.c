/* runner - runs the tests of a program one after the other, each in a child: what one leaves behind
 * or dies of is its own. Prints a line a test and a sum; exits with 1 when one failed. */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct plain_test *tests;
static int failures; /* of the test this child runs */

void plain_register(struct plain_test *test)
{
    test->next = tests;
    tests = test;
}

void plain_failed(const char *file, int line, const char *expression, bool fatal,
                  const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s:%d: %s does not hold.", file, line, expression);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    failures++;
    if (fatal) {
        _exit(1);
    }
}

static bool run_in_child(const struct plain_test *test)
{
    int status = 0;

    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        test->run();
        exit(failures ? 1 : 0); /* exit and not _exit: sanitizers report at the end */
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
    int passed = 0, failed = 0;

    for (const struct plain_test *test = tests; test; test = test->next) {
        if (argc > 1 && strstr(test->name, argv[1]) == NULL) {
            continue;
        }
        bool ok = run_in_child(test);
        printf("%s %s::%s\n", ok ? "ok  " : "FAIL", test->suite, test->name);
        passed += ok;
        failed += !ok;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed || !passed ? 1 : 0;
}
