/* The table of options: the sample and the man page in config/ are what it prints; its defaults are fed's. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/options.h"
#include "app/settings.h"
#include "fixture.h"

static void compare(void (*print)(FILE *out), const char *file)
{
    char *printed = NULL;
    size_t len = 0, wanted_len = 0;
    FILE *out = open_memstream(&printed, &len);
    print(out);
    fclose(out);
    char *wanted = fixture_read(file, &wanted_len);
    assert_string_equal(printed, wanted);
    free(printed);
    free(wanted);
}

static void sample_is_in_config(void **state)
{
    (void)state;
    compare(app_options_print_sample, CAUSEWAY_SOURCE_DIR "/config/causeway.yaml");
}

static void man_page_is_in_config(void **state)
{
    (void)state;
    compare(app_options_print_man, CAUSEWAY_SOURCE_DIR "/config/causeway.yaml.5");
}

static app_settings *load(const char *file)
{
    app_problems *problems = app_problems_new(file);
    app_settings *s = app_settings_load(file, problems);
    app_problems_print(problems, stderr);
    assert_int_equal(app_problems_errors(problems), 0);
    app_problems_free(problems);
    assert_non_null(s);
    return s;
}

static void sample_is_a_good_file(void **state)
{
    (void)state;
    app_settings *s = load(CAUSEWAY_SOURCE_DIR "/config/causeway.yaml");
    assert_int_equal(s->n_domains, 1);
    assert_int_equal(s->n_servers, 1);
    assert_int_equal(s->n_peers, 1);
    assert_string_equal(s->admin, "/run/causeway/admin.sock");
    app_settings_free(s);
}

/* Every example of config/ is a good file. */
static void examples_are_good(void **state)
{
    (void)state;
    glob_t files;
    assert_int_equal(glob(CAUSEWAY_SOURCE_DIR "/config/*.yaml", 0, NULL, &files), 0);
    assert_true(files.gl_pathc >= 3);
    for (size_t i = 0; i < files.gl_pathc; i++)
        app_settings_free(load(files.gl_pathv[i]));
    globfree(&files);
}

/* Takes the # from every commented option: the examples and defaults shown there are right as well. */
static void commented_lines_are_good_too(void **state)
{
    (void)state;
    size_t len = 0, to = 0;
    char *text = fixture_read(CAUSEWAY_SOURCE_DIR "/config/causeway.yaml", &len);
    for (size_t i = 0; i < len; i++) {
        bool option = text[i] == '#' && i + 1 < len && text[i + 1] >= 'a' && text[i + 1] <= 'z';
        if (!option) text[to++] = text[i];
    }
    fixture_write("all.yaml", text, to, 0644);
    free(text);
    app_problems *problems = app_problems_new("all.yaml");
    app_settings *s = app_settings_load("all.yaml", problems);
    /* The two secrets exclude each other. Nothing else may be said. */
    assert_int_equal(app_problems_errors(problems), 1);
    assert_null(s);
    app_problems_free(problems);
}

static void defaults_are_those_of_fed(void **state)
{
    (void)state;
    fed_limits wanted;
    memset(&wanted, 0, sizeof wanted);
    fed_limits_init(&wanted);
    app_settings *s = load(CAUSEWAY_SOURCE_DIR "/config/causeway.yaml");
    const fed_limits *l = &s->limits;
#define SAME(field) assert_int_equal(l->field, wanted.field)
    SAME(stanza), SAME(queue_pair), SAME(queue_total), SAME(link_out), SAME(pairs_per_stream);
    SAME(pairs_inside), SAME(checks_per_stream), SAME(conns_per_address), SAME(conns_outside);
    SAME(refusals_per_second), SAME(dns_in_flight), SAME(targets), SAME(addrs_per_target);
    SAME(queue_ms), SAME(connect_ms), SAME(plan_ms), SAME(head_ms), SAME(negotiate_ms);
    SAME(dialback_ms), SAME(stanza_ms), SAME(close_ms), SAME(send_ms), SAME(idle_ms);
    SAME(backoff_first_ms), SAME(backoff_max_ms), SAME(sweep_ms);
#undef SAME
    app_settings_free(s);
}

/* Every option says what it is for, and none stands twice. */
static void rows_are_whole(void **state)
{
    (void)state;
    for (const app_option *o = app_options; o->path; o++) {
        assert_true(strlen(o->help) > 4);
        for (const app_option *p = app_options; p < o; p++)
            if (p->type != APP_OPT_SECTION && o->type != APP_OPT_SECTION)
                assert_string_not_equal(o->path, p->path);
        if (o->type == APP_OPT_COUNT || o->type == APP_OPT_TIME || o->type == APP_OPT_SIZE)
            assert_true(o->least < o->most);
    }
}

static void distances(void **state)
{
    (void)state;
    assert_int_equal(app_word_distance("", ""), 0);
    assert_int_equal(app_word_distance("outside", "outside"), 0);
    assert_int_equal(app_word_distance("outside", "ouside"), 1);
    assert_int_equal(app_word_distance("outside", "outisde"), 1); /* neighbours swapped */
    assert_int_equal(app_word_distance("kitten", "sitting"), 3);
    assert_int_equal(app_word_distance("", "abc"), 3);
}

static void nearest_names(void **state)
{
    (void)state;
    char out[64];
    assert_int_equal(app_option_nearest("listen", "ouside", out, sizeof out), APP_NEAR_HERE);
    assert_string_equal(out, "outside");
    assert_int_equal(app_option_nearest("", "sevrers", out, sizeof out), APP_NEAR_HERE);
    assert_string_equal(out, "servers");
    assert_int_equal(app_option_nearest("dns", "secret_file", out, sizeof out), APP_NEAR_ELSEWHERE);
    assert_string_equal(out, "dialback.secret_file");
    assert_int_equal(app_option_nearest("dns", "zzzzzzzz", out, sizeof out), APP_NEAR_NONE);
    assert_non_null(app_word_nearest("none optional required", "requierd", out, sizeof out));
    assert_string_equal(out, "required");
    assert_null(app_word_nearest("none optional required", "xyzzy", out, sizeof out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_is_in_config),
        cmocka_unit_test(man_page_is_in_config),
        cmocka_unit_test(sample_is_a_good_file),
        cmocka_unit_test(examples_are_good),
        cmocka_unit_test_setup_teardown(commented_lines_are_good_too, fixture_make, fixture_remove),
        cmocka_unit_test(defaults_are_those_of_fed),
        cmocka_unit_test(rows_are_whole),
        cmocka_unit_test(distances),
        cmocka_unit_test(nearest_names),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
