/*
 * proto - the numbers of the DNS (RFC 1035, 3596, 6891 and the IANA registry).
 */
#ifndef LARDER_DNSREDIR_MESSAGE_PROTO_H
#define LARDER_DNSREDIR_MESSAGE_PROTO_H

enum dns_type {
    TYPE_A = 1,
    TYPE_NS = 2,
    TYPE_MD = 3,
    TYPE_MF = 4,
    TYPE_CNAME = 5,
    TYPE_SOA = 6,
    TYPE_MB = 7,
    TYPE_MG = 8,
    TYPE_MR = 9,
    TYPE_PTR = 12,
    TYPE_HINFO = 13,
    TYPE_MINFO = 14,
    TYPE_MX = 15,
    TYPE_TXT = 16,
    TYPE_RP = 17,
    TYPE_AFSDB = 18,
    TYPE_RT = 21,
    TYPE_SIG = 24,
    TYPE_PX = 26,
    TYPE_AAAA = 28,
    TYPE_NXT = 30,
    TYPE_SRV = 33,
    TYPE_NAPTR = 35,
    TYPE_KX = 36,
    TYPE_A6 = 38,
    TYPE_DNAME = 39,
    TYPE_OPT = 41,
    TYPE_DS = 43,
    TYPE_SSHFP = 44,
    TYPE_RRSIG = 46,
    TYPE_NSEC = 47,
    TYPE_DNSKEY = 48,
    TYPE_NSEC3 = 50,
    TYPE_NSEC3PARAM = 51,
    TYPE_TLSA = 52,
    TYPE_CDS = 59,
    TYPE_CDNSKEY = 60,
    TYPE_SVCB = 64,
    TYPE_HTTPS = 65,
    TYPE_META_FIRST = 128, /* from here to ANY: types without data (RFC 6895 3.1) */
    TYPE_TKEY = 249,
    TYPE_TSIG = 250,
    TYPE_IXFR = 251,
    TYPE_AXFR = 252,
    TYPE_MAILB = 253,
    TYPE_MAILA = 254,
    TYPE_ANY = 255,
    TYPE_CAA = 257,
};

enum dns_class { CLASS_IN = 1, CLASS_CH = 3, CLASS_NONE = 254, CLASS_ANY = 255 };

enum dns_opcode { OPCODE_QUERY = 0, OPCODE_UPDATE = 5 };

enum dns_rcode {
    RCODE_NOERROR = 0,
    RCODE_FORMERR = 1,
    RCODE_SERVFAIL = 2,
    RCODE_NXDOMAIN = 3,
    RCODE_NOTIMP = 4,
    RCODE_REFUSED = 5,
    RCODE_YXDOMAIN = 6, /* these five: RFC 2136 2.2 */
    RCODE_YXRRSET = 7,
    RCODE_NXRRSET = 8,
    RCODE_NOTAUTH = 9,
    RCODE_NOTZONE = 10,
    RCODE_BADVERS = 16, /* its upper bits are in OPT */
    RCODE_BADCOOKIE = 23,
};

/* The flag word of the header; opcode and rcode are its bits 11-14 and 0-3. */
enum dns_flag {
    FLAG_QR = 0x8000,
    FLAG_AA = 0x0400,
    FLAG_TC = 0x0200,
    FLAG_RD = 0x0100,
    FLAG_RA = 0x0080,
    FLAG_AD = 0x0020,
    FLAG_CD = 0x0010,
    FLAG_OPCODE = 0x7800,
};

#define DNS_HEADER_LEN 12
/* The largest response over UDP without EDNS (RFC 1035 2.3.4), and with EDNS: small enough for
 * every path, so that no answer is fragmented. */
#define DNS_UDP_PLAIN 512
#define DNS_UDP_MAX 1232
#define DNS_MESSAGE_MAX 65535

#endif
