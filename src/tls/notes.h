/*
 * notes: what can be seen only while a handshake runs, kept for failure_of().
 *
 * OpenSSL drops the client's certificate when it refuses it, and what the client
 * offered once its ClientHello is read. So callbacks look at the moment of
 * refusal, and put the facts where the refusal itself goes: as the text of an
 * entry in the error queue. A handshake that succeeds costs nothing and nothing
 * is stored per connection.
 */
#ifndef SALLYPORT_TLS_NOTES_H
#define SALLYPORT_TLS_NOTES_H

#include <openssl/ssl.h>
#include <stddef.h>

/* What of a ClientHello is compared. */
struct notes_offer {
    unsigned versions;          /* set of enum tls_version */
    unsigned char *alpn;        /* wire form (RFC 7301 3.1); NULL: no ALPN */
    unsigned alpn_len;
};

/* Callbacks for a context; `arg` of the two with one is a struct notes_offer. */
int notes_verify(int ok, X509_STORE_CTX *store);                        /* SSL_verify_cb */
int notes_client_hello(SSL *ssl, int *alert, void *arg);                /* SSL_client_hello_cb_fn */
int notes_select_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
                      const unsigned char *in, unsigned inlen, void *arg);

/*
 * The facts of a note, in this order, divided by NOTE_DIVIDER. All escaped.
 *   verify:  who ("client certificate CN=a", "server certificate CN=b"), its issuer, dates,
 *            OpenSSL's words, the names that clients may dial
 *   pin:     who, the pin of its key
 *   version: what the client offers
 *   ALPN:    what the client offers
 */
#define NOTE_DIVIDER '\x1f'

enum note { NOTE_NONE, NOTE_VERIFY, NOTE_VERSION, NOTE_ALPN, NOTE_PIN };

/* Of a server's certificate: its key is none of those that are pinned; it has expired since the
   session began. */
void notes_pin(X509 *x, const char *pin);
void notes_expired(X509 *x);

/* What an error queue entry notes; for NOTE_VERIFY, *detail is the X509_V_ERR_ code,
   and bit NOTE_ABOVE_LEAF tells that an issuer of the leaf is meant. */
enum note note_kind(unsigned long code, int *detail);
#define NOTE_ABOVE_LEAF 0x400

#endif
