/* The commands of the documents that users follow: what they make must load and serve. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "handshake.h"

static char dir[32];

static void make_dir(void)
{
    strcpy(dir, "/tmp/unit_tls.XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
}

static void sh(const char *commands)
{
    char *all = mem_printf("cd %s && { %s; } > log 2>&1 || { cat log >&2; exit 1; }", dir,
                           commands);

    cr_assert_eq(system(all), 0);
    free(all);
}

static struct tls_input file(const char *name)
{
    char *path = mem_printf("%s/%s", dir, name);
    FILE *f = fopen(path, "r");
    static char bytes[4][65536];
    static int next;
    char *b = bytes[next++ % 4];

    cr_assert_not_null(f, "%s", path);
    size_t n = fread(b, 1, sizeof(bytes[0]), f);
    fclose(f);
    free(path);
    return (struct tls_input){ .path = name, .data = (uint8_t *)b, .len = n };
}

static struct trust *load_anchor(const char *name)
{
    struct tls_input in = file(name);
    struct ders ders;
    struct diags d = { 0 };
    struct err e = ERR_INIT;

    cr_assert_eq(load_trust(&in, &(struct passwords){ 0 }, &ders, &d), 0);
    cr_assert_eq(d.n, 0);
    struct trust *t = trust_new(ders.v, ders.n, &e);
    cr_assert_not_null(t);
    ders_free(&ders);
    return t;
}

/* Load, judge, and let a client with the very same certificate in. */
static void mutual(const char *cert, const char *key, const char *ca)
{
    struct tls_input c = file(cert), k = file(key);
    struct keymats mats;
    struct diags d = { 0 };
    struct err e = ERR_INIT;
    struct trust *t = load_anchor(ca);

    cr_assert_eq(load_files(&c, 1, &k, 1, NULL, &mats, &d), 0);
    struct keypair *pair = keypair_new(NULL, mats.v[0].key.p, mats.v[0].key.len, mats.v[0].chain,
                                       mats.v[0].nchain, &e);
    cr_assert_not_null(pair);
    keypair_check(pair, &(struct keypair_rules){ .now = time(NULL) }, (struct diag_at){ 0 }, cert,
                  &d);
    diags_print(&d, stderr);
    cr_assert_eq(d.errors, 0);
    /* `openssl x509 -req` makes version 1 up to OpenSSL 3.3, version 3 since: one warning less. */
    bool v1 = X509_get_version(pair->leaf) == X509_VERSION_1;
    cr_assert_eq(found(&d, DIAG_WARNING, "version 1"), v1);
    cr_assert(found(&d, DIAG_WARNING, "has no subject alternative name"));
    cr_assert_eq(d.n, 1u + v1);
    keymats_free(&mats);

    struct tls_policy p = policy();
    p.client_auth = TLS_CLIENT_REQUIRE;
    p.trust = t;
    struct tls_ctx *ctx = server_ctx(&p, &pair, 1);
    for (int v = TLS1_2_VERSION; v <= TLS1_3_VERSION; v++) {
        SSL_CTX *client = client_ctx(v, v);
        struct meeting m;
        client_has(client, &(struct made){ pair->key, pair->leaf });
        SSL_CTX_set1_verify_cert_store(client, t->store);
        SSL_CTX_set_verify(client, SSL_VERIFY_PEER, NULL);
        meet(&m, ctx, client);
        cr_assert(meet_run(&m), "%s", m.failure.text);
        cr_assert(m.secured);
        meet_free(&m);
        SSL_CTX_free(client);
    }
    tls_ctx_unref(ctx);
    keypair_free(pair);
    trust_unref(t);
    diags_free(&d);
    sh("rm -rf \"$PWD\"");
}

/* Dask on OCI: everything by three commands, a version 1 certificate without names. */
Test(seeds, dask)
{
    make_dir();
    sh("openssl req -x509 -nodes -newkey rsa:4096 -days 10 -keyout dask-tls-ca-key.pem "
       "-out dask-tls-ca-cert.pem -subj '/C=US/ST=CA/CN=ODSC CLUSTER PROVISIONER' && "
       "openssl req -nodes -newkey rsa:4096 -keyout dask-tls-key.pem -out dask-tls-req.pem "
       "-subj '/C=US/ST=CA/CN=DASK CLUSTER' && "
       "openssl x509 -req -in dask-tls-req.pem -CA dask-tls-ca-cert.pem -CAkey dask-tls-ca-key.pem "
       "-CAcreateserial -out dask-tls-cert.pem");
    mutual("dask-tls-cert.pem", "dask-tls-key.pem", "dask-tls-ca-cert.pem");
}

/* K8ssandra: 3078 bits, an encrypted CA key, signed for ten years as version 1. */
Test(seeds, k8ssandra_medusa)
{
    make_dir();
    sh("printf '[ req ]\\ndistinguished_name = CA_DN\\nprompt = no\\ndefault_bits = 3078\\n\\n"
       "[ CA_DN ]\\nC = US\\nO = org\\nOU = TestCluster\\nCN = client\\n' > client.conf && "
       "openssl req -new -x509 -keyout rootca.key -out rootca.crt -days 365 -subj /CN=rootCa "
       "-passout pass:MyPassWord123! && "
       "openssl req -newkey rsa:3078 -nodes -keyout client.key -out client.csr -config client.conf "
       "&& openssl x509 -req -CA rootca.crt -CAkey rootca.key -passin pass:MyPassWord123! "
       "-in client.csr -out client.crt_signed -days 3650 -CAcreateserial");
    mutual("client.crt_signed", "client.key", "rootca.crt");
}

/* Pravega: who names the CA's encrypted key hears what it is. */
Test(seeds, pravega_ca)
{
    make_dir();
    sh("openssl req -new -x509 -keyout ca-key -out ca-cert -days 365 "
       "-subj '/C=US/ST=Washington/L=Seattle/O=Pravega/OU=CA/CN=Pravega-CA' "
       "-passout pass:changeit");
    trust_unref(load_anchor("ca-cert"));

    struct tls_input c = file("ca-cert"), k = file("ca-key");
    struct keymats mats;
    struct diags d = { 0 };
    cr_assert_eq(load_files(&c, 1, &k, 1, NULL, &mats, &d), -1);
    cr_assert_eq(d.errors, 1);
    cr_assert(found(&d, DIAG_ERROR, "the private key in ca-key at line 1 is encrypted, and no "
                                    "password is given"));
    keymats_free(&mats);
    diags_free(&d);
    cr_assert_eq(load_files(&c, 1, &k, 1, "changeit", &mats, &d), 0);
    cr_assert_eq(mats.n, 1);
    keymats_free(&mats);
    sh("rm -rf \"$PWD\"");
}
