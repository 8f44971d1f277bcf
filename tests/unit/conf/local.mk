# unit tests of src/conf
check_PROGRAMS += unit_conf
TESTS += unit_conf
unit_conf_SOURCES = \
	tests/unit/conf/support.c tests/unit/conf/support.h \
	tests/unit/conf/test_bundle.c \
	tests/unit/conf/test_dump.c \
	tests/unit/conf/test_file.c \
	tests/unit/conf/test_good.c \
	tests/unit/conf/test_modes.c \
	tests/unit/conf/test_presets.c \
	tests/unit/conf/test_rules.c \
	tests/unit/conf/test_sample.c \
	tests/unit/conf/test_source.c \
	tests/unit/conf/test_transparent.c \
	tests/unit/conf/test_wording.c
unit_conf_CFLAGS = $(UNIT_CFLAGS)
unit_conf_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
unit_conf_LDADD = libconf.a libbase.a $(UNIT_LDADD_TAIL)
