# Everything `make check` runs: unit tests, lints, flow tests.

# What the tests are told: the program under test and the Python that has pytest.
AM_TESTS_ENVIRONMENT = \
	SALLYPORT='$(abs_builddir)/sallyport'; export SALLYPORT; \
	PYTHON3='$(PYTHON3)'; export PYTHON3;
LOG_COMPILER = $(SHELL) $(srcdir)/tests/guard

EXTRA_DIST += tests/guard tests/summary

# Unit tests: one Criterion program per layer, mirroring src/. (Criterion's macros
# do not pass some of our warnings.)
UNIT_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
UNIT_LDADD_TAIL = $(CRITERION_LIBS) $(OPENSSL_LIBS) $(LIBEVENT_LIBS) $(CARES_LIBS) $(INIH_LIBS) $(SECCOMP_LIBS)

# Folders that go into the release whole (below).
DIST_FOLDERS =

include tests/unit/base/local.mk
include tests/unit/proto/local.mk
include tests/unit/conf/local.mk
include tests/unit/net/local.mk
include tests/unit/tls/local.mk
include tests/unit/proxy/local.mk
include tests/unit/app/local.mk
include tests/unit/cmd/local.mk
include tests/fuzz/local.mk
include tests/lint/local.mk
include tests/flow/local.mk

# Folders that go into the release whole, from the sources only: named in EXTRA_DIST,
# what the tests have left of the same name in the build folder would come along.
DIST_FOLDERS += tests/flow

dist-hook:
	cd $(srcdir) && tar -cf - --mode=u+rwX --exclude=__pycache__ --exclude=.pytest_cache \
	    --exclude='*.log' --exclude='*.trs' $(DIST_FOLDERS) >$(abs_builddir)/dist-folders.tar
	tar -xf dist-folders.tar -C $(distdir)
	rm -f dist-folders.tar
