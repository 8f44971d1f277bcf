/*
 * failure_facts: the {facts} of failures.tbl, looked up when a row asks for them.
 */
#ifndef SALLYPORT_TLS_FAILURE_FACTS_H
#define SALLYPORT_TLS_FAILURE_FACTS_H

#include <openssl/ssl.h>
#include <stddef.h>

#include "tls/failure.h"
#include "tls/notes.h"

/* Everything known about one failed handshake. */
struct scene {
    SSL *ssl;
    const struct tls_ending *end;
    unsigned long code;         /* OpenSSL's entry that tells most, or 0 */
    unsigned long foreign;      /* an entry of a library that is not OpenSSL's own, or 0 */
    int alert;                  /* received, or -1 */
    unsigned char first[FIRST_BYTES];   /* that the peer sent */
    size_t nfirst;
    enum note note;
    int detail;                 /* of the note */
    char facts[1024];           /* of the note, divided by NOTE_DIVIDER */
    const char *protocol;       /* guessed */
    const char *asked;          /* failure_early()'s `what` */
};

/* The cipher suites that the client offers and OpenSSL knows, at most `max` of them
   in out; returns how many there are. */
int scene_suites(const struct scene *s, const SSL_CIPHER **out, int max);

/*
 * OpenSSL 3.2 and later look at the head of the first record alone, whatever is said about
 * reading ahead: five bytes, and few protocols are known by these. What came with them is
 * still to be had where OpenSSL got them. For a handshake whose first message was no TLS.
 */
void scene_first_bytes(struct scene *s);

#define FACT_MAX 224

/* The fact called `name` (len bytes) as text, never empty; escaped. Returns out. */
char *scene_fact(const struct scene *s, const char *name, size_t len, char out[FACT_MAX]);

#endif
