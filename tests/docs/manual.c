/* Prints the part of docs/configuration.md of the daemon whose library it is linked with. */
#include "base/buf.h"

#include <stdio.h>

void settings_manual(struct buf *out);

int main(void)
{
    struct buf out = BUF_INIT;

    settings_manual(&out);
    fwrite(out.data, 1, buf_len(&out), stdout);
    buf_fini(&out);
    return 0;
}
