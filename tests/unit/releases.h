#ifndef BREAKER_TESTS_RELEASES_H
#define BREAKER_TESTS_RELEASES_H

/*
 * Releases with real trees, for what is judged by them: every release has the same views, each over
 * directories of its own, as an earlier release has that is kept on disk.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <breaker/release.h>
#include "release/release.h"
#include "tree.h"
#include "view/view.h"

/** the names of the views, in the order of their indexes */
#define FIXTURE_VIEWS 2
static const char *const fixture_names[FIXTURE_VIEWS] = {"static/{breaker}",
                                                         "assets/v{breaker}-x/pub"};

/** A file of a release: the view's index, its logical path, its content. */
typedef struct st_fixture_file_t {
    size_t view;
    const char *path, *content;
} fixture_file_t;

typedef struct st_fixture_t {
    tree_t trees[FIXTURE_VIEWS];
    breaker_view_t *views[FIXTURE_VIEWS];
    breaker_release_t *release;
} fixture_t;

/** Makes and loads a release; `label` may be "" for none. The second view has an index file. */
static inline void fixture_load(fixture_t *fixture, const char *label, const fixture_file_t *files,
                                size_t num_files)
{
    breaker__release_config_t config = {.num_views = FIXTURE_VIEWS};
    breaker_error_t error = {0};

    for (size_t i = 0; i != FIXTURE_VIEWS; ++i) {
        breaker_view_config_t view;
        tree_create(fixture->trees + i);
        breaker_view_config_init(&view);
        view.name = fixture_names[i];
        view.directory = fixture->trees[i].path;
        view.index = i == 1 ? "index.html" : NULL;
        assert_int_equal(breaker__view_create(&view, i, fixture->views + i), 0);
    }
    for (size_t i = 0; i != num_files; ++i)
        tree_write(fixture->trees + files[i].view, files[i].path, files[i].content);
    config.views = (const breaker_view_t *const *)fixture->views;
    if (label[0] != '\0')
        assert_int_equal(breaker_token_parse(label, strlen(label), &config.label), 0);
    if (breaker__release_load(&config, NULL, &fixture->release, &error) != 0)
        fail_msg("%s", error.message);
}

/** Drops the release and removes its trees; no snapshot may hold it any more. */
static inline void fixture_free(fixture_t *fixture)
{
    breaker_release_unref(fixture->release);
    for (size_t i = 0; i != FIXTURE_VIEWS; ++i) {
        breaker__view_free(fixture->views[i]);
        tree_remove(fixture->trees + i);
    }
}

#endif
