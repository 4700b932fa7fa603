/* Settings files that are wrong, each with all that is to be said of it beside it (NAME.yaml, NAME.expected); and in
 * right/ those that are good, with the warnings they get. Adding a file adds a test. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/settings.h"
#include "fixture.h"

static const char *expected_of(const char *path, char *out, size_t size)
{
    snprintf(out, size, "%.*s.expected", (int)(strlen(path) - strlen(".yaml")), path);
    return out;
}

/* Loads a copy that stands among the certificates; gives what was said of it. */
static char *say_all(const char *path, size_t *errors)
{
    size_t len = 0;
    char *text = fixture_read(path, &len), *said = NULL;
    const char *name = strrchr(path, '/') + 1;
    fixture_write(name, text, len, 0644);
    free(text);
    app_problems *problems = app_problems_new(name);
    app_settings *s = app_settings_load(name, problems);
    if (s) app_settings_check_files(s, problems);
    app_settings_free(s);
    *errors = app_problems_errors(problems);
    FILE *out = open_memstream(&said, &len);
    app_problems_print(problems, out);
    fclose(out);
    app_problems_free(problems);
    return said;
}

static size_t compare(const char *path)
{
    char file[4096];
    size_t len = 0, errors = 0;
    char *said = say_all(path, &errors);
    char *expected = fixture_read(expected_of(path, file, sizeof file), &len);
    assert_string_equal(said, expected);
    free(said);
    free(expected);
    return errors;
}

/* rows: R6120-13.12-4a */
static void is_refused(void **state)
{
    assert_true(compare(*state) > 0);
}

static void is_taken(void **state)
{
    assert_int_equal(compare(*state), 0);
}

static void there_are_enough(void **state)
{
    assert_true(*(size_t *)*state >= 14);
}

static size_t add_tests(struct CMUnitTest *tests, size_t n, const glob_t *files,
                        CMUnitTestFunction fn)
{
    for (size_t i = 0; i < files->gl_pathc; i++) {
        char *path = files->gl_pathv[i];
        tests[n++] = (struct CMUnitTest){strrchr(path, '/') + 1, fn, NULL, NULL, path};
    }
    return n;
}

int main(void)
{
    glob_t wrong, right;
    if (glob(CAUSEWAY_SOURCE_DIR "/test/unit/app/wrong/*.yaml", 0, NULL, &wrong) != 0 ||
        glob(CAUSEWAY_SOURCE_DIR "/test/unit/app/right/*.yaml", 0, NULL, &right) != 0)
        return 1;
    struct CMUnitTest *tests = calloc(wrong.gl_pathc + right.gl_pathc + 1, sizeof *tests);
    size_t n = add_tests(tests, 0, &wrong, is_refused);
    n = add_tests(tests, n, &right, is_taken);
    size_t n_wrong = wrong.gl_pathc;
    tests[n++] = (struct CMUnitTest){"there are at least fourteen wrong files", there_are_enough,
                                     NULL, NULL, &n_wrong};
    int failed = _cmocka_run_group_tests("settings files", tests, n, fixture_make, fixture_remove);
    free(tests);
    globfree(&wrong);
    globfree(&right);
    return failed;
}
