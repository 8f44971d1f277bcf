dnl SP_TRY_CFLAG(FLAG): append FLAG to SP_CFLAGS if the compiler takes it.
AC_DEFUN([SP_TRY_CFLAG], [
  AC_MSG_CHECKING([whether $CC takes $1])
  sp_saved_CFLAGS="$CFLAGS"
  CFLAGS="$CFLAGS -Werror $1"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([])],
    [AC_MSG_RESULT([yes]); SP_CFLAGS="$SP_CFLAGS $1"], [AC_MSG_RESULT([no])])
  CFLAGS="$sp_saved_CFLAGS"])

dnl SP_TRY_LDFLAG(FLAG): append FLAG to SP_LDFLAGS if the linker takes it.
AC_DEFUN([SP_TRY_LDFLAG], [
  AC_MSG_CHECKING([whether the linker takes $1])
  sp_saved_LDFLAGS="$LDFLAGS"
  sp_saved_CFLAGS="$CFLAGS"
  LDFLAGS="$LDFLAGS $1"
  CFLAGS="$CFLAGS -fPIE"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([])],
    [AC_MSG_RESULT([yes]); SP_LDFLAGS="$SP_LDFLAGS $1"], [AC_MSG_RESULT([no])])
  LDFLAGS="$sp_saved_LDFLAGS"
  CFLAGS="$sp_saved_CFLAGS"])
