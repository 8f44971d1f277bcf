# Lints: rules about the tree itself, and the proof that each lint can fail.
TESTS += \
	tests/lint/completions \
	tests/lint/keys-documented \
	tests/lint/kubernetes \
	tests/lint/layers \
	tests/lint/monitoring \
	tests/lint/pages \
	tests/lint/sizes \
	tests/lint/style \
	tests/lint/tables-documented \
	tests/lint/shellcheck \
	tests/lint/unit \
	tests/lint/selftest
EXTRA_DIST += \
	tests/lint/completions \
	tests/lint/keys-documented \
	tests/lint/kubernetes \
	tests/lint/layers \
	tests/lint/lintlib.py \
	tests/lint/monitoring \
	tests/lint/pages \
	tests/lint/selftest \
	tests/lint/shellcheck \
	tests/lint/sizes \
	tests/lint/style \
	tests/lint/tables-documented \
	tests/lint/unit
