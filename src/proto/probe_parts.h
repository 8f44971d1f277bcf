/* What the files of probes share among themselves; each kind has a file of its own. */
#ifndef SALLYPORT_PROTO_PROBE_PARTS_H
#define SALLYPORT_PROTO_PROBE_PARTS_H

#include "proto/probe.h"

size_t probe_http_ask(const struct probe_to *to, uint8_t *out);
enum probe_verdict probe_http_judge(const uint8_t *p, size_t n, struct err *why);

size_t probe_cql_ask(const struct probe_to *to, uint8_t *out);
enum probe_verdict probe_cql_judge(const uint8_t *p, size_t n, struct err *why);

size_t probe_grpc_ask(const struct probe_to *to, uint8_t *out);
enum probe_verdict probe_grpc_judge(const uint8_t *p, size_t n, struct err *why);

size_t probe_zookeeper_ask(const struct probe_to *to, uint8_t *out);
enum probe_verdict probe_zookeeper_judge(const uint8_t *p, size_t n, struct err *why);
size_t probe_session_ask(const struct probe_to *to, uint8_t *out);
enum probe_verdict probe_session_judge(const uint8_t *p, size_t n, struct err *why);
size_t probe_session_goodbye(uint8_t *out);

size_t probe_dask_ask(const struct probe_to *to, uint8_t *out);
enum probe_verdict probe_dask_judge(const uint8_t *p, size_t n, struct err *why);

/* PROBE_DOWN, for what is not the protocol at all. */
enum probe_verdict probe_alien(const uint8_t *p, size_t n, const char *protocol, struct err *why);

static inline uint32_t probe_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

#endif
