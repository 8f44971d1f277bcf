/*
 * failure_server: why a handshake failed in which we are the client.
 */
#ifndef SALLYPORT_TLS_FAILURE_SERVER_H
#define SALLYPORT_TLS_FAILURE_SERVER_H

#include "tls/failure_facts.h"

enum tls_cause failure_server_cause(struct scene *s);

#endif
