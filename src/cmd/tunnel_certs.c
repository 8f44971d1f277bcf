#include "cmd/tunnel_certs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define VALID_S (7 * 86400)

/* --- in memory --- */

/* Certificate and key in one text, as every client takes them. NULL on failure. */
static char *both_pem(const struct issued *i)
{
    char *cert = issue_cert_pem(i), *key = issue_key_pem(i), *both = NULL;

    if (cert != NULL && key != NULL)
        both = mem_printf("%s%s", cert, key);
    free(cert);
    if (key != NULL)
        mem_wipe_free(key, strlen(key));
    return both;
}

static int sign(const struct issued *ca, const char *cn, const struct issue_names *names,
                enum issue_use use, char **pem, struct err *e)
{
    struct issued leaf = { 0 };

    if (issue_leaf(ca, cn, names, use, VALID_S, &leaf, e) != 0)
        return -1;
    *pem = both_pem(&leaf);
    issued_free(&leaf);
    return *pem != NULL ? 0 : err_setx(e, "cannot write \"%s\" as PEM", cn);
}

int tunnel_certs_make(const struct tunnel_names *names, struct tunnel_certs *out, struct err *e)
{
    const char *ip[TUNNEL_NAMES_MAX + 1];
    struct issue_names permitted = tunnel_ca_names(names, ip);
    struct issue_names server = tunnel_leaf_names(names);
    struct issue_names none = { 0 };
    struct issued ca = { 0 };

    *out = (struct tunnel_certs){ 0 };
    if (issue_ca("sallyport tunnel, throw-away CA", &permitted, VALID_S, &ca, e) != 0)
        return err_wrap(e, "the throw-away CA");

    int rc = sign(&ca, "sallyport tunnel", &server, ISSUE_SERVER, &out->server_pem, e);
    if (rc == 0)
        rc = sign(&ca, "sallyport tunnel client", &none, ISSUE_CLIENT, &out->client_pem, e);
    if (rc == 0) {
        out->ca_pem = issue_cert_pem(&ca);
        if (out->ca_pem == NULL)
            rc = err_setx(e, "cannot write the throw-away CA as PEM");
    }
    issued_free(&ca);
    if (rc != 0)
        tunnel_certs_free(out);
    return rc;
}

/* --- on disk --- */

static char *make_dir(struct err *e)
{
    const char *places[] = { getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp" };

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (places[i] == NULL || places[i][0] != '/')
            continue;
        char *dir = mem_printf("%s/sallyport-tunnel.XXXXXX", places[i]);
        if (mkdtemp(dir) != NULL)
            return dir;
        free(dir);
    }
    err_set(e, "cannot make a directory in /tmp");
    return NULL;
}

static int write_file(const char *path, const char *text, mode_t mode, struct err *e)
{
    size_t len = strlen(text);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return err_set(e, "cannot make %s", path);

    ssize_t n = write(fd, text, len);
    if (n >= 0 && (size_t)n < len)
        errno = ENOSPC;
    /* fchmod: whatever the umask is, others may read the CA's certificate. */
    if (n != (ssize_t)len || fchmod(fd, mode) != 0) {
        err_set(e, "cannot write %s", path);
        close(fd);
        return -1;
    }
    return close(fd) == 0 ? 0 : err_set(e, "cannot write %s", path);
}

int tunnel_certs_write(struct tunnel_certs *c, struct err *e)
{
    c->dir = make_dir(e);
    if (c->dir == NULL)
        return -1;
    c->ca_path = mem_printf("%s/ca.pem", c->dir);
    c->client_path = mem_printf("%s/client.pem", c->dir);
    if (write_file(c->ca_path, c->ca_pem, 0644, e) != 0)
        return -1;
    return write_file(c->client_path, c->client_pem, 0600, e);
}

static void wipe_text(char *s)
{
    if (s != NULL)
        mem_wipe_free(s, strlen(s));
}

void tunnel_certs_free(struct tunnel_certs *c)
{
    if (c->dir != NULL) {
        (void)unlink(c->ca_path);
        (void)unlink(c->client_path);
        (void)rmdir(c->dir);
    }
    free(c->dir);
    free(c->ca_path);
    free(c->client_path);
    free(c->ca_pem);
    wipe_text(c->server_pem);
    wipe_text(c->client_pem);
    *c = (struct tunnel_certs){ 0 };
}
