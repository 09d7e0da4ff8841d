/* A configuration of larder-dns, see fuzz_configuration.h. */
#include "dnsredir/config/directives.h"
#include "tests/fuzz/fuzz_configuration.h"

static int load(int argc, char **argv, struct buf *errors, bool *loaded)
{
    struct settings *settings = NULL;
    int err = settings_load(argc, argv, errors, NULL, &settings);

    *loaded = settings != NULL;
    settings_free(&settings);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_configuration(load, data, size);
}
