# unit tests of src/base
check_PROGRAMS += unit_base
TESTS += unit_base
unit_base_SOURCES = \
	tests/unit/base/capture.c tests/unit/base/capture.h \
	tests/unit/base/test_addr.c \
	tests/unit/base/test_buf.c \
	tests/unit/base/test_clock.c \
	tests/unit/base/test_diag.c \
	tests/unit/base/test_err.c \
	tests/unit/base/test_glob.c \
	tests/unit/base/test_json.c \
	tests/unit/base/test_list.c \
	tests/unit/base/test_log.c \
	tests/unit/base/test_mem.c \
	tests/unit/base/test_names.c \
	tests/unit/base/test_pack.c \
	tests/unit/base/test_spill.c \
	tests/unit/base/test_str.c \
	tests/unit/base/test_uri.c
unit_base_CFLAGS = $(UNIT_CFLAGS)
unit_base_LDADD = libbase.a $(UNIT_LDADD_TAIL)
