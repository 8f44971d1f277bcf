/* PEM and DER: blocks, certificates, keys. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_read(data, size, NULL);
    return 0;
}
