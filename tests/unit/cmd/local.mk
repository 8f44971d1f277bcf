# unit tests of src/cmd
check_PROGRAMS += unit_cmd
TESTS += unit_cmd
unit_cmd_SOURCES = \
	tests/unit/cmd/test_options.c \
	tests/unit/cmd/test_readable.c \
	tests/unit/cmd/test_verbs.c
unit_cmd_CFLAGS = $(UNIT_CFLAGS)
unit_cmd_LDADD = libcmd.a libconf.a libbase.a $(UNIT_LDADD_TAIL)
