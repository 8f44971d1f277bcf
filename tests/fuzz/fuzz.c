#include "fuzz.h"

void fuzz_read(const uint8_t *data, size_t size, const char *alias)
{
    static const enum parts_use uses[] = { PARTS_CERT_FILE, PARTS_KEY_FILE, PARTS_TRUST_FILE };
    static const struct passwords both[] = { { .store = FUZZ_PASSWORD }, { .store = NULL } };
    struct tls_input in = { .path = "/fuzz", .data = data, .len = size };

    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        for (size_t k = 0; k < 2; k++) {
            struct diags d = { 0 };
            struct parts p;
            int rc = parts_read_entry(&in, uses[i], &both[k], alias, &p, &d);

            /* Refused exactly when somebody was told why. */
            if ((rc == 0) != (d.errors == 0))
                __builtin_trap();
            parts_free(&p);
            diags_free(&d);
        }
    }
}
