#define OPENSSL_SUPPRESS_DEPRECATED     /* engines are */

#include "tls/key_engine.h"

#include <openssl/opensslconf.h>

#ifdef OPENSSL_NO_ENGINE

bool key_engine_open(const char *uri, const char *pin, struct span module, UI_METHOD *ui,
                     void *ui_arg, EVP_PKEY **key)
{
    (void)uri, (void)pin, (void)module, (void)ui, (void)ui_arg, (void)key;
    return false;
}

#else

#include <openssl/engine.h>
#include <stdlib.h>
#include <string.h>

#include "base/uri.h"

static bool set_module(ENGINE *e, struct span module)
{
    char *path = uri_decode(module);
    bool ok = path != NULL && ENGINE_ctrl_cmd_string(e, "MODULE_PATH", path, 0) == 1;

    free(path);
    return ok;
}

/* The engine refuses attributes that it does not know. `module` lies in the URI. */
static char *without_module(const char *uri, struct span module)
{
    static const char name[] = "module-path=";
    size_t at = (size_t)(module.p - uri) - (sizeof(name) - 1), len = strlen(uri);
    size_t end = at + sizeof(name) - 1 + module.len;
    char *out = malloc(len + 1);

    if (out == NULL)
        return NULL;
    if (uri[end] != '\0')
        end++;                  /* what separates it from the next takes its place */
    else
        at--;
    memcpy(out, uri, at);
    memcpy(out + at, uri + end, len - end + 1);
    return out;
}

/* The PIN is set each time: the engine would try the last one, which may be another token's. */
static EVP_PKEY *load(ENGINE *e, const char *uri, const char *pin, struct span module,
                      UI_METHOD *ui, void *ui_arg)
{
    EVP_PKEY *key = NULL;

    ENGINE_ctrl_cmd_string(e, "QUIET", NULL, 1);    /* else it writes to stderr, too */
    if ((module.p != NULL && !set_module(e, module)) || ENGINE_init(e) != 1)
        return NULL;
    if (pin == NULL || ENGINE_ctrl_cmd_string(e, "PIN", pin, 0) == 1)
        key = ENGINE_load_private_key(e, uri, ui, ui_arg);
    ENGINE_finish(e);                               /* the key holds it */
    return key;
}

bool key_engine_open(const char *uri, const char *pin, struct span module, UI_METHOD *ui,
                     void *ui_arg, EVP_PKEY **key)
{
    ENGINE_load_dynamic();
    ENGINE *e = ENGINE_by_id("pkcs11");
    char *rest = module.p != NULL ? without_module(uri, module) : NULL;

    *key = NULL;
    if (e != NULL && (module.p == NULL || rest != NULL))
        *key = load(e, rest != NULL ? rest : uri, pin, module, ui, ui_arg);
    free(rest);
    ENGINE_free(e);
    return e != NULL;
}

#endif
