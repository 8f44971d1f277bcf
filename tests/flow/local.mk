# Flow tests: real processes, real clients. pytest reports its cases; to make check
# the whole is one test, and tests/summary counts the cases from its log.
TESTS += tests/flow/run
