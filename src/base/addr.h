/*
 * addr: socket addresses as users write them, and networks to match them with.
 *
 * Numeric only: no name is looked up here (a lookup can block for seconds, and
 * nothing in the data path may). It sits in base because both the configuration
 * and the sockets need it.
 *
 *   127.0.0.1:9042   [::1]:9042   unix:/run/app.sock   localhost:9042 (= 127.0.0.1)
 *   systemd:web (where to listen: a socket that systemd has opened, and named)
 */
#ifndef SALLYPORT_BASE_ADDR_H
#define SALLYPORT_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/str.h"

struct addr {
    socklen_t len;              /* 0: no address */
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;  /* of a socket of systemd's the family is AF_UNSPEC, and the
                                   path "systemd:web" */
    } u;
};

/* What a connected peer needs to be named by; a struct addr without the room for
   a path, because every connection holds one. */
struct peer {
    uint8_t family;             /* AF_INET, AF_INET6, AF_UNIX */
    uint16_t port;              /* host order */
    uint8_t ip[16];
};

/* Port 0 is accepted (the kernel picks). Sets e to the reason otherwise; the
   reason does not repeat the text. 0 or -1. */
int addr_parse(struct span s, struct addr *out, struct err *e);

#define ADDR_TEXT_MAX 128
char *addr_text(const struct addr *a, char out[ADDR_TEXT_MAX]);
bool addr_equal(const struct addr *a, const struct addr *b);
bool addr_is_ip(const char *text);                /* an address alone: no port, no brackets */
bool addr_is_systemd(const struct addr *a);
bool addr_is_local(const struct addr *a);        /* loopback, or a Unix socket */
uint16_t addr_port(const struct addr *a);        /* host order; 0 for a Unix socket */
void addr_set_port(struct addr *a, uint16_t port);

void peer_from(const struct sockaddr *sa, struct peer *out);   /* v4-mapped IPv6 becomes IPv4 */
bool peer_is_loopback(const struct peer *p);
bool peer_same_host(const struct peer *a, const struct peer *b);         /* whatever the port */
void peer_unmap(struct peer *p);        /* the same, of one that came another way */
void peer_map(struct peer *p);          /* and back: p is IPv4 */
#define PEER_TEXT_MAX 64
char *peer_text(const struct peer *p, char out[PEER_TEXT_MAX]); /* "unix" for a Unix socket */
char *peer_host_text(const struct peer *p, char out[PEER_TEXT_MAX]);    /* without its port */

struct cidr {
    uint8_t family;             /* AF_INET or AF_INET6 */
    uint8_t bits;
    uint8_t ip[16];
};

/* "10.0.0.0/8", "::1/128", or one address. Bits set behind the prefix are an error. A network of
   v4-mapped IPv6 addresses becomes one of IPv4, as its peers do. */
int cidr_parse(struct span s, struct cidr *out, struct err *e);
bool cidr_has(const struct cidr *c, const struct peer *p);

/* A list of networks, as users write one: each a network, "loopback" or "anywhere". */
struct nets {
    struct cidr *v;
    size_t n;
};

/* Appends what one of them means. 0 or -1 and e. */
int nets_add(struct nets *list, struct span text, struct err *e);
/* A peer on a Unix socket is on this host: loopback, and so anywhere, has it. */
bool nets_have(const struct nets *list, const struct peer *p);
/* Whether plaintext may go there, if it may to these networks: within this host it always may. */
bool nets_let_plaintext(const struct nets *list, const struct addr *to);
void nets_free(struct nets *list);

#endif
