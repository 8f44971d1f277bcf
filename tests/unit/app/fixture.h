/*
 * A certificate for localhost, good from 2020 to 2119, with its key: as it is, and
 * encrypted (PKCS#8, PBES2) with the password "open-sesame".
 */
#ifndef SALLYPORT_TEST_APP_FIXTURE_H
#define SALLYPORT_TEST_APP_FIXTURE_H

#define FIXTURE_CERT \
    "-----BEGIN CERTIFICATE-----\n" \
    "MIIBUDCB9qADAgECAgEBMAoGCCqGSM49BAMCMBQxEjAQBgNVBAMMCXVuaXQgdGVz\n" \
    "dDAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFDESMBAGA1UEAwwJ\n" \
    "dW5pdCB0ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEbV81aAJtDwJfl44P\n" \
    "noMOLuk9IrGxBXxx3eYFN9pBEM2die5tZaYAv5aSX7bpZD19ERJr/Fv2ZfA3wCyo\n" \
    "YvItIKM3MDUwFAYDVR0RBA0wC4IJbG9jYWxob3N0MB0GA1UdDgQWBBQsgWrktJVs\n" \
    "dHuL7lOz+7JxS3u9nzAKBggqhkjOPQQDAgNJADBGAiEAhA1EvdBZ3VZ5ALbEmVIK\n" \
    "FxI8hkckTdScL65S0L1W/HQCIQDS4TucIEZusfewXzMSN89/cN+BvDNPLrkCpuHC\n" \
    "DOcNkQ==\n" \
    "-----END CERTIFICATE-----\n"

#define FIXTURE_KEY \
    "-----BEGIN EC PRIVATE KEY-----\n" \
    "MHcCAQEEIEKyZ8vY2z9uwPCBbypojZCikKEdq7QqWvxQYkAn0iXYoAoGCCqGSM49\n" \
    "AwEHoUQDQgAEbV81aAJtDwJfl44PnoMOLuk9IrGxBXxx3eYFN9pBEM2die5tZaYA\n" \
    "v5aSX7bpZD19ERJr/Fv2ZfA3wCyoYvItIA==\n" \
    "-----END EC PRIVATE KEY-----\n"

#define FIXTURE_ENCRYPTED_KEY \
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n" \
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhKrRj/Wq+I2QICCAAw\n" \
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEA96G6zbSle8sp7Mc+O4Wc8EgZB0\n" \
    "ALpN/yet8nMtwdqkgQWURI95z7AsFr0eX6k3QVqMvBLu8QiA2Ecweda6KFtJ+5Sv\n" \
    "kv/BYjBCDqILs8kPz0EDcUkqea0ot2mGQ8nJNpwmdHwqZqVrZa9s3W2x8enJKyOf\n" \
    "oX6G3HzzdEzyMKWN/HHFLN+6y0XdoQpVHHNxVk38nCgr1IVgEbjzRsMl+SRUT/E=\n" \
    "-----END ENCRYPTED PRIVATE KEY-----\n"

#define FIXTURE_PASSWORD "open-sesame"

#endif
