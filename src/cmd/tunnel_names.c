#include "cmd/tunnel_names.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <ifaddrs.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

static bool is_wildcard(const struct addr *a)
{
    static const struct in6_addr any = IN6ADDR_ANY_INIT;

    if (a->u.sa.sa_family == AF_INET)
        return a->u.in.sin_addr.s_addr == htonl(INADDR_ANY);
    return a->u.sa.sa_family == AF_INET6
        && memcmp(&a->u.in6.sin6_addr, &any, sizeof(any)) == 0;
}

static void add_text(struct tunnel_names *n, const char *ip)
{
    for (size_t i = 0; i < n->nip; i++)
        if (strcmp(n->ip[i], ip) == 0)
            return;
    if (n->nip < TUNNEL_NAMES_MAX)
        n->ip[n->nip++] = mem_strdup(ip);
}

static void add_ip(struct tunnel_names *n, const struct sockaddr *sa)
{
    char text[INET6_ADDRSTRLEN] = "";
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (sa->sa_family == AF_INET) {
        memcpy(&in, sa, sizeof(in));
        inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
    } else if (sa->sa_family == AF_INET6) {
        memcpy(&in6, sa, sizeof(in6));
        if (!IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr)) /* good for nothing without its interface */
            inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text));
    }
    if (text[0] != '\0')
        add_text(n, text);
}

static void add_interfaces(struct tunnel_names *n, int family)
{
    struct ifaddrs *all;

    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next)
        if (i->ifa_addr != NULL && i->ifa_addr->sa_family == family)
            add_ip(n, i->ifa_addr);
    freeifaddrs(all);
}

static bool is_host_name(const char *s)
{
    if (*s == '\0' || *s == '-' || *s == '.')
        return false;
    for (; *s != '\0'; s++)
        if (!isalnum((unsigned char)*s) && *s != '-' && *s != '.')
            return false;
    return true;
}

static void add_host_name(struct tunnel_names *n)
{
    char name[HOST_NAME_MAX + 1] = "";

    if (gethostname(name, sizeof(name) - 1) == 0 && is_host_name(name)
        && strcmp(name, n->dns[0]) != 0)
        n->dns[n->ndns++] = mem_strdup(name);
}

void tunnel_names_for(const struct addr *listen, struct tunnel_names *out)
{
    *out = (struct tunnel_names){ 0 };
    out->dns[out->ndns++] = mem_strdup("localhost");
    add_text(out, "127.0.0.1");
    add_text(out, "::1");
    if (is_wildcard(listen)) {
        add_host_name(out);
        add_interfaces(out, listen->u.sa.sa_family);
    } else {
        add_ip(out, &listen->u.sa);
    }
}

void tunnel_names_free(struct tunnel_names *n)
{
    for (size_t i = 0; i < n->ndns; i++)
        free(n->dns[i]);
    for (size_t i = 0; i < n->nip; i++)
        free(n->ip[i]);
    *n = (struct tunnel_names){ 0 };
}

struct issue_names tunnel_leaf_names(const struct tunnel_names *n)
{
    return (struct issue_names){
        .dns = (const char *const *)n->dns,
        .ndns = n->ndns,
        .ip = (const char *const *)n->ip,
        .nip = n->nip,
    };
}

struct issue_names tunnel_ca_names(const struct tunnel_names *n,
                                   const char *ip[TUNNEL_NAMES_MAX + 1])
{
    struct issue_names out = tunnel_leaf_names(n);

    memcpy(ip, n->ip, n->nip * sizeof(ip[0]));
    ip[n->nip] = "127.0.0.0/8";
    out.ip = ip;
    out.nip = n->nip + 1;
    return out;
}

char *tunnel_target(const struct addr *bound, char out[TUNNEL_TARGET_MAX])
{
    char text[ADDR_TEXT_MAX];
    const char *port;

    addr_text(bound, text);
    port = strrchr(text, ':');
    if (bound->u.sa.sa_family == AF_INET6 && is_wildcard(bound))
        snprintf(out, TUNNEL_TARGET_MAX, "[::1]%.8s", port);
    else if (is_wildcard(bound) || strncmp(text, "127.0.0.1:", 10) == 0)
        snprintf(out, TUNNEL_TARGET_MAX, "localhost%.8s", port);
    else
        snprintf(out, TUNNEL_TARGET_MAX, "%.70s", text);
    return out;
}
