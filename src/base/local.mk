noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	src/base/addr.c src/base/addr.h \
	src/base/buf.c src/base/buf.h \
	src/base/clock.c src/base/clock.h \
	src/base/diag.c src/base/diag.h \
	src/base/err.c src/base/err.h \
	src/base/glob.c src/base/glob.h \
	src/base/json.c src/base/json.h \
	src/base/list.h \
	src/base/log.c src/base/log.h \
	src/base/mem.c src/base/mem.h \
	src/base/names.c src/base/names.h \
	src/base/pack.c src/base/pack.h \
	src/base/spill.c src/base/spill.h \
	src/base/str.c src/base/str.h \
	src/base/uri.c src/base/uri.h
