#include "tls/sslerr.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>

void sslerr_clear(void)
{
    ERR_clear_error();
}

char *sslerr_text(char *out, size_t cap)
{
    unsigned long code = ERR_get_error();   /* the oldest is nearest to the cause */
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    if (reason != NULL)
        snprintf(out, cap, "%s", reason);
    else if (code != 0)
        snprintf(out, cap, "error %lx", code);
    else
        snprintf(out, cap, "unknown error");
    ERR_clear_error();
    return out;
}

bool sslerr_last_is(int lib, int reason)
{
    unsigned long code = ERR_peek_last_error();

    return ERR_GET_LIB(code) == lib && ERR_GET_REASON(code) == reason;
}

bool sslerr_take_unsupported(void)
{
    bool found = false;

    for (unsigned long code; (code = ERR_get_error()) != 0;) {
        int reason = ERR_GET_REASON(code);
        if (reason == ERR_R_UNSUPPORTED
            || (ERR_GET_LIB(code) == ERR_LIB_EVP
                && (reason == EVP_R_UNSUPPORTED_ALGORITHM || reason == EVP_R_UNKNOWN_PBE_ALGORITHM
                    || reason == EVP_R_UNSUPPORTED_CIPHER)))
            found = true;
    }
    return found;
}
