#include "cache/store/spare.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CAPACITY = 2 << 20, SENT = 128 << 10 };

struct fixture {
    char dir[64];
    struct segment_home home;
    struct spares spares;
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){0};
    snprintf(f->dir, sizeof(f->dir), "/tmp/larder-spare-XXXXXX");
    CHECK(mkdtemp(f->dir) != NULL);
    f->home.dir = f->dir;
    spares_init(&f->spares, CAPACITY);
}

static void teardown(struct fixture *f)
{
    while (spare_unlink(&f->spares, &f->home)) {
    }
    for (uint32_t id = 1; id < 10; id++) {
        segment_unlink(&f->home, id);
    }
    cr_expect_eq(rmdir(f->dir), 0, "nothing is left over");
}

/* A file of 'a's where the segment's would be; synced, as after a commit. */
static int make_file(const struct fixture *f, uint32_t id)
{
    static char bytes[CAPACITY];
    char path[PATH_MAX];

    memset(bytes, 'a', sizeof(bytes));
    segment_path(&f->home, id, path);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    cr_assert(fd >= 0 && write(fd, bytes, sizeof(bytes)) == sizeof(bytes) && fsync(fd) == 0);
    return fd;
}

/* A file system that never lets go of its pages (tmpfs) has no spares, and nothing to test. */
static bool has_page_cache(const struct fixture *f)
{
    int fd = make_file(f, 9);
    bool has = spare_is_unreferenced(fd, CAPACITY);

    close(fd);
    segment_unlink(&f->home, 9);
    if (!has) {
        fprintf(stderr, "%s keeps its pages: not tested\n", f->dir);
    }
    return has;
}

static void connect_pair(int pair[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int listening = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(bind(listening, (struct sockaddr *)&at, len) == 0 && listen(listening, 1) == 0);
    CHECK(getsockname(listening, (struct sockaddr *)&at, &len) == 0);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(pair[0], (struct sockaddr *)&at, len) == 0);
    pair[1] = accept(listening, NULL, NULL);
    close(listening);
}

static size_t read_bytes(int fd, size_t want, char expected)
{
    static char bytes[SENT];
    size_t have = 0, right = 0;

    while (have < want) {
        ssize_t n = read(fd, bytes + have, want - have);
        CHECK(n > 0);
        have += (size_t)n;
    }
    for (size_t i = 0; i < have; i++) {
        right += bytes[i] == expected;
    }
    return right;
}

static void overwrite(int fd)
{
    static char bytes[SENT];

    memset(bytes, 'b', sizeof(bytes));
    CHECK(pwrite(fd, bytes, sizeof(bytes), 0) == sizeof(bytes));
}

/* The kernel frees what was read a little later, with the next packets. */
static bool becomes_spare(struct fixture *f, uint32_t id)
{
    for (unsigned tries = 0; tries < 200; tries++) {
        int pair[2];
        if (spare_keep(&f->spares, &f->home, id)) {
            return true;
        }
        connect_pair(pair);
        CHECK(write(pair[0], "b", 1) == 1 && read_bytes(pair[1], 1, 'b') == 1);
        close(pair[0]);
        close(pair[1]);
        usleep(10000);
    }
    return false;
}

/* A file of which a socket has been sent the beginning, that its peer has not read. */
struct sending {
    int fd, from, to;
};

static struct sending send_file(const struct fixture *f, uint32_t id)
{
    struct sending sending = {.fd = make_file(f, id)};
    int pair[2];
    off_t offset = 0;

    connect_pair(pair);
    sending.from = pair[0];
    sending.to = pair[1];
    cr_assert_eq(sendfile(sending.from, sending.fd, &offset, SENT), SENT);
    return sending;
}

/* The trap itself: if the kernel had none, the next test would prove nothing. */
Test(spare, what_a_socket_was_sent_changes_with_the_file)
{
    struct fixture f;

    setup(&f);
    if (has_page_cache(&f)) {
        struct sending sending = send_file(&f, 1);
        overwrite(sending.fd);
        cr_expect_eq(read_bytes(sending.to, SENT, 'a'), 0, "not what was sent");
        close(sending.from);
        close(sending.to);
        close(sending.fd);
    }
    teardown(&f);
}

Test(spare, a_file_with_pages_in_a_socket_is_none)
{
    struct fixture f;

    setup(&f);
    if (has_page_cache(&f)) {
        struct sending sending = send_file(&f, 1);
        cr_expect_not(spare_keep(&f.spares, &f.home, 1), "the peer has not read it");
        close(sending.from);
        cr_expect_not(spare_keep(&f.spares, &f.home, 1), "nor when the connection is closed");
        cr_expect_eq(read_bytes(sending.to, SENT, 'a'), SENT);
        cr_expect(becomes_spare(&f, 1), "now it has");
        close(sending.to);
        close(sending.fd);
    }
    teardown(&f);
}

Test(spare, a_file_that_somebody_maps_is_none)
{
    struct fixture f;

    setup(&f);
    if (has_page_cache(&f)) {
        int fd = make_file(&f, 1);
        const volatile char *map = mmap(NULL, CAPACITY, PROT_READ, MAP_SHARED, fd, 0);
        cr_expect_eq(map[CAPACITY / 2], 'a');
        cr_expect_not(spare_keep(&f.spares, &f.home, 1));
        munmap((void *)(uintptr_t)map, CAPACITY);
        cr_expect(spare_keep(&f.spares, &f.home, 1));
        close(fd);
    }
    teardown(&f);
}

Test(spare, what_is_taken_is_an_empty_segment)
{
    struct fixture f;
    struct segment segment = {0};
    struct segment_spec spec = {.id = 5, .log = S3_MAIN, .capacity = CAPACITY};
    static const uint8_t owner[STORE_HASH] = "somebody";
    uint32_t number;
    void *at;

    setup(&f);
    if (has_page_cache(&f)) {
        close(make_file(&f, 1));
        cr_assert(spare_keep(&f.spares, &f.home, 1));
        cr_expect_eq(spares_bytes(&f.spares), CAPACITY);
        cr_assert(spare_take(&f.spares, &f.home, 5));
        cr_expect_not(spare_take(&f.spares, &f.home, 6), "there was one");
        cr_assert_eq(segment_create(&segment, &f.home, &spec), 0);
        cr_assert_eq(segment_write_begin(&segment), 0);
        cr_assert_eq(segment_add_chunk(&segment, owner, 100000, &at, &number), 0);
        cr_expect_eq(number, 1, "nothing is left of what it was");
        memset(at, 'c', 100000);
        cr_expect_eq(segment_commit(&segment), 0);
        segment_retire(&segment);
        segment_close(&segment);
    }
    teardown(&f);
}

Test(spare, not_more_are_kept_than_are_of_use)
{
    struct fixture f;

    setup(&f);
    if (has_page_cache(&f)) {
        for (uint32_t id = 1; id <= SPARES_MAX; id++) {
            close(make_file(&f, id));
            cr_expect(spare_keep(&f.spares, &f.home, id));
        }
        close(make_file(&f, 9));
        cr_expect_not(spare_keep(&f.spares, &f.home, 9));
    }
    teardown(&f);
}

Test(spare, names)
{
    cr_expect(spare_is_name("spare-00000012.mdb"));
    cr_expect(spare_is_name("blank.mdb"));
    cr_expect_not(spare_is_name("seg-00000012.mdb"));
    cr_expect_not(spare_is_name("index.mdb"));
}
