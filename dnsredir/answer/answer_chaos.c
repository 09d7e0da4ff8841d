/* answer_chaos - the class CH: version.bind, id.server and their like (RFC 4892). */
#include "base/check.h"
#include "dnsredir/answer/answer_parts.h"

void answer_chaos(struct answering *a)
{
    static const struct {
        const char *wire;
        bool host;
    } names[] = {
        {"\7version\4bind", false},
        {"\7version\6server", false},
        {"\10hostname\4bind", true},
        {"\2id\6server", true},
    };
    const struct name *name = &a->query->name;
    uint16_t type = a->query->type;
    const struct rrset *set = NULL;

    for (size_t i = 0; i < ARRAY_LEN(names) && a->view->identity; i++) {
        if (name->len == strlen(names[i].wire) + 1 &&
            memcmp(name->at, names[i].wire, name->len) == 0) {
            set = names[i].host ? a->view->identity->host : a->view->identity->version;
        }
    }
    if (!set || (type != TYPE_TXT && type != TYPE_ANY)) {
        a->rcode = RCODE_REFUSED;
        a->packet.opt.ede = EDE_PROHIBITED;
        return;
    }
    a->flags |= FLAG_AA;
    if (!packet_rrset(&a->packet, SECTION_ANSWER, NULL, set, 0)) {
        a->flags |= FLAG_TC;
    }
}
