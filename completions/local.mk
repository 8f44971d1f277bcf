# Completions for shells, from the rows that the manual pages are made of.
COMPLETION_AWK = completions/common.awk completions/bash.awk completions/zsh.awk completions/fish.awk
EXTRA_DIST += $(COMPLETION_AWK)

if RUNS_HERE
nodist_bashcomp_DATA = completions/sallyport
nodist_zshcomp_DATA = completions/_sallyport
nodist_fishcomp_DATA = completions/sallyport.fish
CLEANFILES += completions/sallyport completions/_sallyport completions/sallyport.fish

MAKE_COMPLETION = $(AM_V_GEN)$(MKDIR_P) completions && LC_ALL=C $(AWK) -f $(srcdir)/completions/common.awk

completions/sallyport: man/tables.tsv $(COMPLETION_AWK)
	$(MAKE_COMPLETION) -f $(srcdir)/completions/bash.awk man/tables.tsv >$@.new && mv $@.new $@

completions/_sallyport: man/tables.tsv $(COMPLETION_AWK)
	$(MAKE_COMPLETION) -f $(srcdir)/completions/zsh.awk man/tables.tsv >$@.new && mv $@.new $@

completions/sallyport.fish: man/tables.tsv $(COMPLETION_AWK)
	$(MAKE_COMPLETION) -f $(srcdir)/completions/fish.awk man/tables.tsv >$@.new && mv $@.new $@
endif
