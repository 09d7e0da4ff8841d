/*
 * The fingerprint of a TLS context, by which is decided whether making it anew would give another
 * one: a digest of its options and of the content of the files that they name. The system's
 * certificates may be many, and are only read when they are needed: of these the digest has which
 * files there are, and when they were changed.
 */
#include "proxy/stream/tls_context_parts.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MOST = 16 << 20 }; /* bytes; a context of larger files is always made anew */

struct printer {
    EVP_MD_CTX *digest;
    bool is_known;
};

/* ---- pieces: each with its length, so that different sequences are different bytes ---- */

static void add(struct printer *printer, const void *at, uint64_t len)
{
    CHECK(EVP_DigestUpdate(printer->digest, &len, sizeof(len)) == 1 &&
          EVP_DigestUpdate(printer->digest, at, len) == 1);
}

static void add_number(struct printer *printer, uint64_t number)
{
    add(printer, &number, sizeof(number));
}

static void add_text(struct printer *printer, const char *text)
{
    add(printer, text, strlen(text));
}

static void add_content(struct printer *printer, const char *file)
{
    char piece[4096];
    size_t size = 0;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 0;

    add_text(printer, file);
    while (fd >= 0 && size <= FILE_MOST && (n = read(fd, piece, sizeof(piece))) > 0) {
        add(printer, piece, (uint64_t)n);
        size += (size_t)n;
    }
    add_number(printer, size);
    printer->is_known &= n == 0;
    if (fd >= 0) {
        close(fd);
    }
}

/* Adds which file it is, and its last change. */
static void add_stat(struct printer *printer, int folder, const char *name)
{
    struct stat is;

    add_text(printer, name);
    if (fstatat(folder, name, &is, 0) == 0) {
        add_number(printer, is.st_dev);
        add_number(printer, is.st_ino);
        add_number(printer, (uint64_t)is.st_size);
        add(printer, &is.st_mtim, sizeof(is.st_mtim));
        add(printer, &is.st_ctim, sizeof(is.st_ctim));
    }
}

static void add_folder(struct printer *printer, const char *path)
{
    DIR *folder = opendir(path);

    add_text(printer, path);
    if (folder) {
        for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
            add_stat(printer, dirfd(folder), entry->d_name);
        }
        closedir(folder);
    }
}

/* ---- prints ---- */

static struct printer printer_open(const char *role, unsigned alpn)
{
    struct printer printer = {.is_known = true};

    tls_start(); /* before OpenSSL has any memory */
    printer.digest = EVP_MD_CTX_new();
    CHECK(printer.digest && EVP_DigestInit_ex(printer.digest, EVP_sha256(), NULL) == 1);
    add_text(&printer, role);
    add_number(&printer, alpn);
    return printer;
}

static struct tls_print printer_close(struct printer *printer)
{
    struct tls_print print = {.is_known = printer->is_known};

    CHECK(EVP_DigestFinal_ex(printer->digest, print.digest, NULL) == 1);
    EVP_MD_CTX_free(printer->digest);
    return print;
}

struct tls_print tls_print_server(const struct tls_server_options *options)
{
    struct printer printer = printer_open("server", options->alpn);

    add_text(&printer, options->identity);
    for (size_t i = 0; i < options->count; i++) {
        add_content(&printer, options->files[i].certificate);
        add_content(&printer, options->files[i].key);
    }
    return printer_close(&printer);
}

struct tls_print tls_print_client(const struct tls_client_options *options)
{
    struct printer printer = printer_open(options->verify ? "client" : "believer", options->alpn);

    if (options->ca) {
        add_content(&printer, options->ca);
    } else if (options->verify) {
        struct tls_system system = tls_system();
        for (char *rest = system.folders, *path; (path = strsep(&rest, ":")) != NULL;) {
            add_folder(&printer, path);
        }
        add_stat(&printer, AT_FDCWD, system.file);
        free(system.folders);
    }
    return printer_close(&printer);
}

bool tls_print_same(const struct tls_print *a, const struct tls_print *b)
{
    return a->is_known && b->is_known && memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}
