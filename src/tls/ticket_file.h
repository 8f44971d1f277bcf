/*
 * ticket_file: secrets for tickets (ticket.h) that several hosts share, from a text file.
 *
 * One key a line, base64 or hex, of at least 32 bytes; `#` begins a comment. The first
 * seals, the others open. So a key is replaced without a session lost: the new one is
 * first appended on every host, then moved to the front everywhere.
 */
#ifndef SALLYPORT_TLS_TICKET_FILE_H
#define SALLYPORT_TLS_TICKET_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "tls/material.h"
#include "tls/ticket.h"

/* Room for one key file's. */
struct ticket_secrets {
    uint8_t v[TICKET_SECRETS_MAX * TICKET_SECRET_LEN];
    size_t n;
};

/* Errors: no key; a line that is none, or is too short; too many keys. Warnings: a file
   that everybody can read; a key twice. No finding shows a key. 0 or -1; *out is the
   caller's to wipe. */
int ticket_file_read(const struct tls_input *in, struct ticket_secrets *out, struct diags *d);

#endif
