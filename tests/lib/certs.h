/*
 * certs - certificates for tests, made by openssl(1) in a folder of their own; none is in the
 * repository. Calls fail the process when openssl does.
 */
#ifndef LARDER_TESTS_LIB_CERTS_H
#define LARDER_TESTS_LIB_CERTS_H

/* Makes the folder and, in it, ca.pem with ca.key, and other.pem, a CA that nobody trusts. The path
 * lives until certs_remove(). */
const char *certs_make(void);
void certs_remove(void);

/* NAME.pem and NAME.key, signed by ca.pem for `names` ("DNS:a.test,IP:127.0.0.1"); `days` 0: it has
 * expired. */
void certs_sign(const char *name, const char *names, int days);

/* "FOLDER/NAME". Static storage for the last 32. */
const char *certs_path(const char *name);

#endif
