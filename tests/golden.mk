# The interface in a tmux of its own, with an engine that has no guest; and its parts alone.
check_PROGRAMS += tests/fakes/scripted_engine
tests_fakes_scripted_engine_SOURCES = tests/fakes/scripted_engine.c
tests_fakes_scripted_engine_LDADD = core/libcore.a $(GLIB_LIBS) $(JANSSON_LIBS)

golden_tests = \
	tests/golden/console.sh \
	tests/golden/engine.sh \
	tests/golden/forms.sh \
	tests/golden/list.sh \
	tests/golden/terminal.sh
TESTS += $(golden_tests)
dist_check_SCRIPTS += $(golden_tests)
EXTRA_DIST += tests/golden/lib.sh tests/golden/expected
