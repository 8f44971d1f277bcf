# Unit tests: one Criterion program per layer, mirroring src/.
UNIT_LDADD_TAIL = $(CRITERION_LIBS) $(OPENSSL_LIBS) $(LIBEVENT_LIBS) $(INIH_LIBS)

include tests/unit/base/local.mk
include tests/unit/proto/local.mk
include tests/unit/conf/local.mk
include tests/unit/net/local.mk
include tests/unit/tls/local.mk
include tests/unit/proxy/local.mk
include tests/unit/app/local.mk
