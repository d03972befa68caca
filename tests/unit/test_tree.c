/*
 * The walk over a tree: what is listed, what is left out and with which words, what fails. The
 * trees are real ones; the kernel may have openat2 or not, and a process that is denied it sees the
 * same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include "release/trees.h"
#include "scratch.h"
#include "view/view.h"

#define LINES_MAX 128

/** Everything that a case needs, made anew for each. */
typedef struct st_fixture_t {
    scratch_t scratch;
    breaker_view_t *view;
    breaker__arena_t arena;
    breaker__listing_t listing;
    breaker_release_hooks_t hooks;
    breaker_error_t error;
    size_t num_lines;
    char lines[LINES_MAX][1024];
} fixture_t;

static void on_notice(void *data, const char *message)
{
    fixture_t *fixture = data;

    if (fixture->num_lines == LINES_MAX)
        abort();
    snprintf(fixture->lines[fixture->num_lines++], sizeof(fixture->lines[0]), "%s", message);
}

static breaker_view_t *make_view(const char *directory, bool dotfiles)
{
    breaker_view_config_t config;
    breaker_view_t *view;

    breaker_view_config_init(&config);
    config.name = "static/{breaker}";
    config.directory = directory;
    config.dotfiles = dotfiles;
    assert_int_equal(breaker__view_create(&config, 0, &view), 0);
    return view;
}

static int setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof(*fixture));

    if (fixture == NULL)
        return -1;
    scratch_create(&fixture->scratch);
    fixture->view = make_view(fixture->scratch.path, false);
    fixture->hooks.notice_data = fixture;
    fixture->hooks.on_notice = on_notice;
    breaker__arena_init(&fixture->arena);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;

    breaker__listing_dispose(&fixture->listing);
    breaker__arena_dispose(&fixture->arena);
    breaker__view_free(fixture->view);
    scratch_remove(&fixture->scratch);
    free(fixture);
    return 0;
}

/** Lists the tree of the fixture's view. */
static int list(fixture_t *fixture)
{
    breaker__notices_t notices;
    breaker__trees_t trees;
    int ret;

    if ((ret = breaker__trees_open(&trees, fixture->view, NULL, &fixture->error)) != 0)
        return ret;
    breaker__notices_init(&notices, &fixture->hooks, fixture->view, trees.items[0].directory);
    ret =
        breaker__trees_list(&trees, &fixture->arena, &notices, &fixture->listing, &fixture->error);
    breaker__notices_finish(&notices);
    breaker__trees_close(&trees);
    return ret;
}

static void assert_listed(const fixture_t *fixture, const char *const *paths, size_t num)
{
    for (size_t i = 0; i != num && i != fixture->listing.num; ++i) {
        assert_string_equal(fixture->listing.paths[i].base, paths[i]);
        assert_int_equal(fixture->listing.paths[i].len, strlen(paths[i]));
    }
    assert_int_equal(fixture->listing.num, num);
}

#define ASSERT_LISTED(fixture, ...)                                                                \
    do {                                                                                           \
        static const char *const paths_[] = {__VA_ARGS__};                                         \
        assert_listed(fixture, paths_, sizeof(paths_) / sizeof(paths_[0]));                        \
    } while (0)

/** Some notice names both the path and the reason. */
static void assert_noticed(const fixture_t *fixture, const char *path, const char *reason)
{
    for (size_t i = 0; i != fixture->num_lines; ++i)
        if (strstr(fixture->lines[i], path) != NULL && strstr(fixture->lines[i], reason) != NULL)
            return;
    fail_msg("no notice of %s: %s among %zu", path, reason, fixture->num_lines);
}

static void files_are_listed_in_bytewise_order(void **state)
{
    fixture_t *fixture = *state;

    scratch_text(&fixture->scratch, "a/b.css", "1");
    scratch_text(&fixture->scratch, "a.css", "2");
    scratch_text(&fixture->scratch, "a-b", "3");
    scratch_text(&fixture->scratch, "a/b/c", "4");
    scratch_text(&fixture->scratch, "Z", "5");
    scratch_text(&fixture->scratch, "\xc3\xa4", "6");
    scratch_text(&fixture->scratch, "with blank", "7");
    assert_int_equal(list(fixture), 0);
    ASSERT_LISTED(fixture, "Z", "a-b", "a.css", "a/b.css", "a/b/c", "with blank", "\xc3\xa4");
    assert_int_equal(fixture->num_lines, 0);
}

static void an_empty_directory_lists_nothing(void **state)
{
    fixture_t *fixture = *state;

    assert_int_equal(mkdirat(fixture->scratch.fd, "empty", 0755), 0);
    assert_int_equal(list(fixture), 0);
    assert_int_equal(fixture->listing.num, 0);
}

static void make_dotfiles(const scratch_t *scratch)
{
    scratch_text(scratch, ".git/config", "secret");
    scratch_text(scratch, ".htpasswd", "secret");
    scratch_text(scratch, "css/.hidden", "secret");
    scratch_text(scratch, "..odd", "secret");
    scratch_text(scratch, ".well-known/security.txt", "seen");
    scratch_text(scratch, ".well-known/.hidden", "secret");
    scratch_text(scratch, ".well-known2/x", "secret");
    scratch_text(scratch, "page.html", "seen");
}

static void dotfiles_are_left_out(void **state)
{
    fixture_t *fixture = *state;

    make_dotfiles(&fixture->scratch);
    assert_int_equal(list(fixture), 0);
    ASSERT_LISTED(fixture, ".well-known/security.txt", "page.html");
    assert_int_equal(fixture->num_lines, 0);
}

static void dotfiles_are_listed_when_the_view_allows(void **state)
{
    fixture_t *fixture = *state;

    breaker__view_free(fixture->view);
    fixture->view = make_view(fixture->scratch.path, true);
    make_dotfiles(&fixture->scratch);
    assert_int_equal(list(fixture), 0);
    ASSERT_LISTED(fixture, "..odd", ".git/config", ".htpasswd", ".well-known/.hidden",
                  ".well-known/security.txt", ".well-known2/x", "css/.hidden", "page.html");
}

static void links_that_stay_inside_are_followed(void **state)
{
    fixture_t *fixture = *state;

    scratch_text(&fixture->scratch, "shared/base.css", "1");
    scratch_link(&fixture->scratch, "css/up.css", "../shared/base.css");
    scratch_link(&fixture->scratch, "css/dir", "../shared");
    scratch_link(&fixture->scratch, "twice", "css/dir/base.css");
    assert_int_equal(list(fixture), 0);
    ASSERT_LISTED(fixture, "css/dir/base.css", "css/up.css", "shared/base.css", "twice");
    assert_int_equal(fixture->num_lines, 0);
}

static void links_that_lead_out_are_left_out(void **state)
{
    fixture_t *fixture = *state;

    scratch_text(&fixture->scratch, "file", "1");
    scratch_link(&fixture->scratch, "absolute", "/etc/passwd");
    scratch_link(&fixture->scratch, "relative", "../../../../../../../../../etc/passwd");
    scratch_link(&fixture->scratch, "directory", "../..");
    scratch_link(&fixture->scratch, "out-and-in", "../../../../../../../../../tmp");
    scratch_link(&fixture->scratch, "a/b/second", "../../relative");
    scratch_link(&fixture->scratch, "magic", "/proc/self/cwd");
    assert_int_equal(list(fixture), 0);
    ASSERT_LISTED(fixture, "file");
    assert_int_equal(fixture->num_lines, 6);
    assert_noticed(fixture, "/absolute:", "leads out of the directory");
    assert_noticed(fixture, "/relative:", "leads out of the directory");
    assert_noticed(fixture, "/directory:", "leads out of the directory");
    assert_noticed(fixture, "/out-and-in:", "leads out of the directory");
    assert_noticed(fixture, "/a/b/second:", "leads out of the directory");
    assert_noticed(fixture, "/magic:", "leads out of the directory");
    assert_non_null(strstr(fixture->lines[0], "view \"static/{breaker}\": "));
}

/** "<scratch><path>", in a buffer of the caller's. */
static const char *absolute(const fixture_t *fixture, const char *path, char dst[512])
{
    snprintf(dst, 512, "%s%s", fixture->scratch.path, path);
    return dst;
}

/** Gives the fixture a view of "site" in its directory with these further ones. */
static void view_site(fixture_t *fixture, const char *const *directories, size_t num_directories,
                      const char *const *follow, size_t num_follow)
{
    breaker_view_config_t config;
    char site[512];

    breaker_view_config_init(&config);
    config.name = "static/{breaker}";
    config.directory = absolute(fixture, "/site", site);
    config.directories = directories;
    config.num_directories = num_directories;
    config.follow = follow;
    config.num_follow = num_follow;
    breaker__view_free(fixture->view);
    assert_int_equal(breaker__view_create(&config, 0, &fixture->view), 0);
}

static void absolute_links_that_end_inside_are_followed(void **state)
{
    fixture_t *fixture = *state;
    char path[512];

    scratch_text(&fixture->scratch, "a/file", "1");
    scratch_link(&fixture->scratch, "to-file", absolute(fixture, "/a/file", path));
    scratch_link(&fixture->scratch, "to-dir", absolute(fixture, "/a", path));
    scratch_link(&fixture->scratch, "roundabout", absolute(fixture, "/../../usr/..", path));
    scratch_link(&fixture->scratch, "a/twice", "../to-dir/../to-file");
    scratch_link(&fixture->scratch, "out-and-in", absolute(fixture, "/a/../../x", path));
    scratch_link(&fixture->scratch, "slash", absolute(fixture, "/a//./file", path));
    scratch_link(&fixture->scratch, "no-directory", absolute(fixture, "/a/file/", path));
    assert_int_equal(list(fixture), 0);
    ASSERT_LISTED(fixture, "a/file", "a/twice", "slash", "to-dir/file", "to-dir/twice", "to-file");
    assert_int_equal(fixture->num_lines, 3);
    assert_noticed(fixture, "/roundabout:", "leads out of the directory");
    assert_noticed(fixture, "/out-and-in:", "link to nothing");
    assert_noticed(fixture, "/no-directory:", "link to nothing");
}

static void a_relative_link_that_leaves_and_comes_back_is_followed(void **state)
{
    fixture_t *fixture = *state;

    scratch_text(&fixture->scratch, "site/a/file", "1");
    scratch_text(&fixture->scratch, "beside/secret", "2");
    scratch_link(&fixture->scratch, "site/back", "../site/a");
    scratch_link(&fixture->scratch, "site/away", "../beside");
    scratch_link(&fixture->scratch, "site/around", "../beside/../site/a/file");
    view_site(fixture, NULL, 0, NULL, 0);
    assert_int_equal(list(fixture), 0);
    ASSERT_LISTED(fixture, "a/file", "around", "back/file");
    assert_int_equal(fixture->num_lines, 1);
    assert_noticed(fixture, "/away:", "`follow`");
}

static void links_lead_to_directories_that_are_named_for_it(void **state)
{
    fixture_t *fixture = *state;
    char shared[512], deep[512], path[512];
    const char *const follow[] = {absolute(fixture, "/shared", shared),
                                  absolute(fixture, "/deep/er", deep)};

    scratch_text(&fixture->scratch, "site/own", "1");
    scratch_text(&fixture->scratch, "shared/uploads/a.png", "2");
    scratch_text(&fixture->scratch, "deep/er/b.png", "3");
    scratch_text(&fixture->scratch, "deep/secret", "4");
    scratch_text(&fixture->scratch, "shared-not/secret", "5");
    scratch_link(&fixture->scratch, "site/uploads", absolute(fixture, "/shared/uploads", path));
    scratch_link(&fixture->scratch, "site/relative", "../shared/uploads/a.png");
    scratch_link(&fixture->scratch, "shared/uploads/on", "../../deep/er");
    scratch_link(&fixture->scratch, "shared/uploads/out", "../../deep/secret");
    scratch_link(&fixture->scratch, "site/near", "../shared-not/secret");
    scratch_link(&fixture->scratch, "site/parent", absolute(fixture, "/deep", path));
    scratch_link(&fixture->scratch, "shared/uploads/home", absolute(fixture, "/site/own", path));
    view_site(fixture, NULL, 0, follow, 2);
    assert_int_equal(list(fixture), 0);
    ASSERT_LISTED(fixture, "own", "relative", "uploads/a.png", "uploads/home", "uploads/on/b.png");
    assert_int_equal(fixture->num_lines, 3);
    assert_noticed(fixture, "/uploads/out:", "leads out of the directory");
    assert_noticed(fixture, "/near:", "leads out of the directory");
    assert_noticed(fixture, "/parent:", "leads out of the directory");
}

static void a_followed_file_that_moves_out_is_not_opened(void **state)
{
    fixture_t *fixture = *state;
    char shared[512];
    const char *const follow[] = {absolute(fixture, "/shared", shared)};
    breaker__trees_t trees;
    breaker__stamp_t stamp;
    int fd;

    scratch_text(&fixture->scratch, "site/own", "1");
    scratch_text(&fixture->scratch, "shared/a/file", "22");
    scratch_text(&fixture->scratch, "outside/file", "secret");
    scratch_link(&fixture->scratch, "site/link", "../shared/a/file");
    view_site(fixture, NULL, 0, follow, 1);
    assert_int_equal(breaker__trees_open(&trees, fixture->view, NULL, NULL), 0);
    assert_int_equal(breaker__tree_open_file(trees.items, "link", &fd, &stamp, NULL), 0);
    assert_int_equal(stamp.size, 2);
    close(fd);

    /* a directory on the way becomes a link, and then the root that was named another directory */
    assert_int_equal(renameat(fixture->scratch.fd, "shared/a", fixture->scratch.fd, "a"), 0);
    scratch_link(&fixture->scratch, "shared/a", "../outside");
    assert_int_equal(breaker__tree_open_file(trees.items, "link", &fd, &stamp, NULL),
                     BREAKER_ERR_IO);
    assert_int_equal(renameat(fixture->scratch.fd, "shared", fixture->scratch.fd, "moved"), 0);
    scratch_text(&fixture->scratch, "shared/a/file", "secret");
    assert_int_equal(breaker__tree_open_file(trees.items, "link", &fd, &stamp, NULL),
                     BREAKER_ERR_IO);
    breaker__trees_close(&trees);
}

static void a_missing_directory_to_follow_to_fails_with_its_name(void **state)
{
    fixture_t *fixture = *state;
    char missing[512];
    const char *const follow[] = {absolute(fixture, "/missing", missing)};

    scratch_text(&fixture->scratch, "site/own", "1");
    view_site(fixture, NULL, 0, follow, 1);
    assert_int_equal(list(fixture), BREAKER_ERR_IO);
    assert_non_null(strstr(fixture->error.message, "/missing: No such file"));
}

static void of_two_directories_the_first_one_wins(void **state)
{
    fixture_t *fixture = *state;
    char second[512], third[512];
    const char *const directories[] = {absolute(fixture, "/second", second),
                                       absolute(fixture, "/third", third)};

    scratch_text(&fixture->scratch, "site/a", "1");
    scratch_text(&fixture->scratch, "second/a", "2");
    scratch_text(&fixture->scratch, "second/b", "2");
    scratch_text(&fixture->scratch, "third/a", "3");
    scratch_text(&fixture->scratch, "third/b", "3");
    scratch_text(&fixture->scratch, "third/c/d", "3");
    scratch_link(&fixture->scratch, "site/link", "../third/c");
    scratch_link(&fixture->scratch, "third/out", "/etc/passwd");
    view_site(fixture, directories, 2, NULL, 0);
    assert_int_equal(list(fixture), 0);
    ASSERT_LISTED(fixture, "a", "b", "c/d", "link/d");
    assert_int_equal(breaker__first_directory(fixture->listing.paths[0].directories), 0);
    assert_int_equal(breaker__first_directory(fixture->listing.paths[1].directories), 1);
    assert_int_equal(breaker__first_directory(fixture->listing.paths[2].directories), 2);
    assert_int_equal(breaker__first_directory(fixture->listing.paths[3].directories), 0);
    assert_int_equal(fixture->num_lines, 1);
    assert_noticed(fixture, "/third/out:", "leads out of the directory");
}

static void dangling_links_are_left_out(void **state)
{
    fixture_t *fixture = *state;

    scratch_text(&fixture->scratch, "file", "1");
    scratch_link(&fixture->scratch, "nothing", "nowhere");
    scratch_link(&fixture->scratch, "below-a-file", "file/x");
    assert_int_equal(list(fixture), 0);
    ASSERT_LISTED(fixture, "file");
    assert_int_equal(fixture->num_lines, 2);
    assert_noticed(fixture, "/nothing:", "link to nothing");
    assert_noticed(fixture, "/below-a-file:", "link to nothing");
}

static void loops_of_links_come_to_an_end(void **state)
{
    fixture_t *fixture = *state;

    scratch_text(&fixture->scratch, "a/file", "1");
    scratch_text(&fixture->scratch, "b/file", "2");
    scratch_link(&fixture->scratch, "self", "self");
    scratch_link(&fixture->scratch, "a/root", "..");
    scratch_link(&fixture->scratch, "a/to-b", "../b");
    scratch_link(&fixture->scratch, "b/to-a", "../a");
    assert_int_equal(list(fixture), 0);
    ASSERT_LISTED(fixture, "a/file", "a/to-b/file", "b/file", "b/to-a/file");
    assert_noticed(fixture, "/self:", "leads back");
    assert_noticed(fixture, "/a/root:", "leads back");
    assert_noticed(fixture, "/a/to-b/to-a:", "leads back");
    assert_noticed(fixture, "/b/to-a/to-b:", "leads back");
}

static void make_socket(const scratch_t *scratch, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/%s", scratch->path, name);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
}

static void special_files_are_left_out_and_never_waited_for(void **state)
{
    fixture_t *fixture = *state;

    scratch_text(&fixture->scratch, "file", "1");
    assert_int_equal(mkfifoat(fixture->scratch.fd, "fifo", 0644), 0);
    make_socket(&fixture->scratch, "socket");
    scratch_link(&fixture->scratch, "to-fifo", "fifo");
    assert_int_equal(list(fixture), 0);
    ASSERT_LISTED(fixture, "file");
    assert_int_equal(fixture->num_lines, 3);
    for (size_t i = 0; i != 3; ++i)
        assert_non_null(strstr(fixture->lines[i], "neither a file nor a directory"));
}

/** A file that turns into a fifo after it was listed. */
static void a_fifo_in_the_place_of_a_file_is_refused_without_waiting(void **state)
{
    fixture_t *fixture = *state;
    breaker__stamp_t stamp;
    breaker__tree_t tree;
    int fd;

    assert_int_equal(mkfifoat(fixture->scratch.fd, "fifo", 0644), 0);
    assert_int_equal(breaker__tree_open(&tree, fixture->view, NULL, NULL), 0);
    assert_int_equal(breaker__tree_open_file(&tree, "fifo", &fd, &stamp, &fixture->error),
                     BREAKER_ERR_CHANGED);
    assert_non_null(strstr(fixture->error.message, "no longer a regular file"));
    breaker__tree_close(&tree);
}

static void names_that_no_url_carries_are_left_out(void **state)
{
    fixture_t *fixture = *state;

    scratch_text(&fixture->scratch, "line\nend", "1");
    scratch_text(&fixture->scratch, "back\\slash", "2");
    scratch_text(&fixture->scratch, "del\x7f", "3");
    scratch_text(&fixture->scratch, "tab\t/file", "4");
    scratch_text(&fixture->scratch, "per%cent?#", "5");
    assert_int_equal(list(fixture), 0);
    ASSERT_LISTED(fixture, "per%cent?#");
    assert_int_equal(fixture->num_lines, 4);
    assert_noticed(fixture, "/line?end:", "control character");
    assert_noticed(fixture, "/back\\slash:", "backslash");
    for (size_t i = 0; i != fixture->num_lines; ++i)
        assert_null(strpbrk(fixture->lines[i], "\n\t\x7f"));
}

/** Makes directories in each other by descriptors, because their path is too long to be named. */
static int make_chain(const scratch_t *scratch, size_t depth, size_t name_len)
{
    char name[256];
    int at = dup(scratch->fd);

    memset(name, 'd', name_len);
    name[name_len] = '\0';
    for (size_t i = 0; i != depth; ++i) {
        int next;

        assert_int_equal(mkdirat(at, name, 0755), 0);
        next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(at);
        at = next;
    }
    return at;
}

static void make_file_at(int directory, size_t name_len)
{
    char name[256];
    int fd;

    memset(name, 'f', name_len);
    name[name_len] = '\0';
    fd = openat(directory, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    close(fd);
}

static void the_longest_path_is_listed_and_a_longer_one_is_not(void **state)
{
    fixture_t *fixture = *state;
    breaker__stamp_t stamp;
    breaker__tree_t tree;
    int at = make_chain(&fixture->scratch, 15, 255), fd;

    make_file_at(at, 254);
    make_file_at(at, 255);
    close(at);
    scratch_text(&fixture->scratch, "short", "1");
    assert_int_equal(list(fixture), 0);
    assert_int_equal(fixture->listing.num, 3);
    assert_int_equal(fixture->listing.paths[0].len, BREAKER_ASSET_PATH_MAX - 1);
    assert_int_equal(fixture->listing.paths[1].len, BREAKER_ASSET_PATH_MAX);
    assert_int_equal(fixture->num_lines, 0);

    assert_int_equal(breaker__tree_open(&tree, fixture->view, NULL, NULL), 0);
    assert_int_equal(breaker__tree_open_file(&tree, fixture->listing.paths[1].base, &fd, &stamp,
                                             &fixture->error),
                     0);
    close(fd);
    breaker__tree_close(&tree);
}

static void a_path_beyond_the_limit_is_left_out(void **state)
{
    fixture_t *fixture = *state;
    int at = make_chain(&fixture->scratch, 16, 255);

    make_file_at(at, 1);
    close(at);
    scratch_text(&fixture->scratch, "short", "1");
    assert_int_equal(list(fixture), 0);
    ASSERT_LISTED(fixture, "short");
    assert_int_equal(fixture->num_lines, 1);
    assert_noticed(fixture, "ddd", "too long");
}

static void directories_at_the_depth_limit_are_walked(void **state)
{
    fixture_t *fixture = *state;
    int at = make_chain(&fixture->scratch, BREAKER_TREE_DEPTH_MAX, 1);

    make_file_at(at, 1);
    close(at);
    assert_int_equal(list(fixture), 0);
    assert_int_equal(fixture->listing.num, 1);
}

static void directories_beyond_the_depth_limit_fail_the_load(void **state)
{
    fixture_t *fixture = *state;

    close(make_chain(&fixture->scratch, BREAKER_TREE_DEPTH_MAX + 1, 1));
    assert_int_equal(list(fixture), BREAKER_ERR_TOO_MANY);
    assert_non_null(strstr(fixture->error.message, "/d/d/d/d"));
    assert_non_null(strstr(fixture->error.message, "too deep"));
}

static void assert_told(const fixture_t *fixture, const char *place, int system_error)
{
    char expected[1024];

    snprintf(expected, sizeof(expected), "view \"static/{breaker}\": %s: %s", place,
             strerror(system_error));
    assert_string_equal(fixture->error.message, expected);
    assert_int_equal(fixture->error.code, BREAKER_ERR_IO);
}

static void a_missing_directory_fails_with_its_name(void **state)
{
    fixture_t *fixture = *state;
    char path[300];

    snprintf(path, sizeof(path), "%s/missing", fixture->scratch.path);
    breaker__view_free(fixture->view);
    fixture->view = make_view(path, false);
    assert_int_equal(list(fixture), BREAKER_ERR_IO);
    assert_told(fixture, path, ENOENT);
}

static void a_file_in_the_place_of_the_directory_fails(void **state)
{
    fixture_t *fixture = *state;
    char path[300];

    scratch_text(&fixture->scratch, "file", "1");
    snprintf(path, sizeof(path), "%s/file", fixture->scratch.path);
    breaker__view_free(fixture->view);
    fixture->view = make_view(path, false);
    assert_int_equal(list(fixture), BREAKER_ERR_IO);
    assert_told(fixture, path, ENOTDIR);
}

static void a_link_to_the_directory_is_followed(void **state)
{
    fixture_t *fixture = *state;
    char path[300];

    scratch_text(&fixture->scratch, "releases/1/file", "1");
    scratch_link(&fixture->scratch, "current", "releases/1");
    snprintf(path, sizeof(path), "%s/current/", fixture->scratch.path);
    breaker__view_free(fixture->view);
    fixture->view = make_view(path, false);
    assert_int_equal(list(fixture), 0);
    ASSERT_LISTED(fixture, "file");
}

/** Runs as a user who may not read everything; returns false when that is not possible. */
static bool become_nobody(void)
{
    return geteuid() != 0 || seteuid(65534) == 0;
}

static void become_root(void)
{
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
}

/** Lists as a user who may not enter "a/closed", nor what "to-closed" leads into. */
static int list_beside_closed(fixture_t *fixture)
{
    int ret;

    scratch_text(&fixture->scratch, "a/closed/file", "1");
    scratch_text(&fixture->scratch, "a/open", "2");
    scratch_link(&fixture->scratch, "to-closed", "a/closed/file");
    assert_int_equal(fchmodat(fixture->scratch.fd, "a/closed", 0, 0), 0);
    if (!become_nobody())
        skip();
    ret = list(fixture);
    become_root();
    assert_int_equal(fchmodat(fixture->scratch.fd, "a/closed", 0755, 0), 0);
    return ret;
}

static void what_may_not_be_entered_is_left_out(void **state)
{
    fixture_t *fixture = *state;

    assert_int_equal(list_beside_closed(fixture), 0);
    ASSERT_LISTED(fixture, "a/open");
    assert_int_equal(fixture->num_lines, 2);
    assert_noticed(fixture, "/a/closed:", "may not enter or read it");
    assert_noticed(fixture, "/to-closed:", "may not enter or read it");
}

static void what_may_not_be_entered_fails_a_strict_view(void **state)
{
    fixture_t *fixture = *state;
    breaker_view_config_t config = *breaker_view_config(fixture->view);
    breaker_view_t *view;

    config.strict = true;
    assert_int_equal(breaker__view_create(&config, 0, &view), 0);
    breaker__view_free(fixture->view);
    fixture->view = view;
    assert_int_equal(list_beside_closed(fixture), BREAKER_ERR_DENIED);
    assert_non_null(strstr(fixture->error.message, "closed"));
    assert_non_null(strstr(fixture->error.message, strerror(EACCES)));
}

static void a_directory_that_may_not_be_read_itself_fails(void **state)
{
    fixture_t *fixture = *state;
    int ret;

    assert_int_equal(fchmod(fixture->scratch.fd, 0), 0);
    if (!become_nobody())
        skip();
    ret = list(fixture);
    become_root();
    assert_int_equal(fchmod(fixture->scratch.fd, 0755), 0);
    assert_int_equal(ret, BREAKER_ERR_DENIED);
    assert_non_null(strstr(fixture->error.message, strerror(EACCES)));
}

static void a_failure_at_a_long_path_keeps_its_reason(void **state)
{
    fixture_t *fixture = *state;
    char *path = malloc(BREAKER_ASSET_PATH_MAX + 1);
    breaker__tree_t tree;

    assert_non_null(path);
    memset(path, 'x', BREAKER_ASSET_PATH_MAX);
    memcpy(path + BREAKER_ASSET_PATH_MAX - 4, "/end", 5);
    assert_int_equal(breaker__tree_open(&tree, fixture->view, NULL, NULL), 0);
    assert_int_equal(breaker__tree_fail_io(&tree, EACCES, path, &fixture->error),
                     BREAKER_ERR_DENIED);
    assert_non_null(strstr(fixture->error.message, "xxx/end: Permission denied"));
    breaker__tree_close(&tree);
    free(path);
}

static void the_directory_stays_pinned_when_its_name_moves_on(void **state)
{
    fixture_t *fixture = *state;
    breaker__notices_t notices;
    breaker__trees_t trees;
    char path[300];

    scratch_text(&fixture->scratch, "one/old", "1");
    scratch_text(&fixture->scratch, "two/new", "2");
    scratch_link(&fixture->scratch, "current", "one");
    snprintf(path, sizeof(path), "%s/current", fixture->scratch.path);
    breaker__view_free(fixture->view);
    fixture->view = make_view(path, false);
    assert_int_equal(breaker__trees_open(&trees, fixture->view, NULL, NULL), 0);

    assert_int_equal(unlinkat(fixture->scratch.fd, "current", 0), 0);
    scratch_link(&fixture->scratch, "current", "two");
    breaker__notices_init(&notices, &fixture->hooks, fixture->view, trees.items[0].directory);
    assert_int_equal(
        breaker__trees_list(&trees, &fixture->arena, &notices, &fixture->listing, NULL), 0);
    ASSERT_LISTED(fixture, "old");
    breaker__trees_close(&trees);
}

/** Makes openat2 fail with `failure` for the rest of this process's life. */
static bool deny_openat2(int failure)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)failure),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

enum { CHILD_GOOD = 0, CHILD_BAD = 1, CHILD_SKIP = 77 };

/** What the child sees without openat2, as an exit status. */
static int list_without_openat2(fixture_t *fixture, int failure)
{
    static const char *const expected[] = {"a/b/c",    "a/file",    "file",
                                           "to-a/b/c", "to-a/file", "to-file"};
    breaker__stamp_t stamp;
    breaker__tree_t tree;
    int fd;

    if (!deny_openat2(failure))
        return CHILD_SKIP;
    if (list(fixture) != 0 || fixture->listing.num != 6 || fixture->num_lines != 2 ||
        strstr(fixture->lines[0], "leads out") == NULL ||
        strstr(fixture->lines[1], "leads out") == NULL)
        return CHILD_BAD;
    for (size_t i = 0; i != 6; ++i)
        if (strcmp(fixture->listing.paths[i].base, expected[i]) != 0)
            return CHILD_BAD;
    if (breaker__tree_open(&tree, fixture->view, NULL, NULL) != 0 || tree.has_openat2)
        return CHILD_BAD;
    if (breaker__tree_open_file(&tree, "to-a/b/c", &fd, &stamp, NULL) != 0 || stamp.size != 4)
        return CHILD_BAD;
    close(fd);
    /* a link in the middle of a path, and at its end */
    if (breaker__tree_open_file(&tree, "out-dir/passwd", &fd, &stamp, NULL) != BREAKER_ERR_IO ||
        breaker__tree_open_file(&tree, "out", &fd, &stamp, NULL) != BREAKER_ERR_IO)
        return CHILD_BAD;
    breaker__tree_close(&tree);
    return CHILD_GOOD;
}

static void without_openat2_links_are_followed_as_with_it(void **state)
{
    static const int failures[] = {ENOSYS, EPERM};
    fixture_t *fixture = *state;

    scratch_text(&fixture->scratch, "file", "1");
    scratch_text(&fixture->scratch, "a/file", "22");
    scratch_text(&fixture->scratch, "a/b/c", "4444");
    scratch_link(&fixture->scratch, "to-file", "file");
    scratch_link(&fixture->scratch, "to-a", "a");
    scratch_link(&fixture->scratch, "out", "/etc/passwd");
    scratch_link(&fixture->scratch, "out-dir", "/etc");
    for (size_t i = 0; i != 2; ++i) {
        pid_t child = fork();
        int status;

        assert_true(child >= 0);
        if (child == 0)
            _exit(list_without_openat2(fixture, failures[i]));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == CHILD_SKIP)
            skip();
        assert_int_equal(WEXITSTATUS(status), CHILD_GOOD);
    }
}

static void notices_of_one_kind_are_bounded(void **state)
{
    fixture_t *fixture = *state;
    char name[32];

    for (int i = 0; i != 33; ++i) {
        snprintf(name, sizeof(name), "bad\\name%d", i);
        scratch_text(&fixture->scratch, name, "1");
    }
    assert_int_equal(mkfifoat(fixture->scratch.fd, "fifo", 0644), 0);
    assert_int_equal(list(fixture), 0);
    assert_int_equal(fixture->num_lines, BREAKER_NOTICES_MAX + 2);
    assert_noticed(fixture, "/fifo:", "neither a file nor a directory");
    assert_string_equal(fixture->lines[fixture->num_lines - 1],
                        "view \"static/{breaker}\": 13 more: left out: a name with a control "
                        "character or a backslash");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(files_are_listed_in_bytewise_order),
        CASE(an_empty_directory_lists_nothing),
        CASE(dotfiles_are_left_out),
        CASE(dotfiles_are_listed_when_the_view_allows),
        CASE(links_that_stay_inside_are_followed),
        CASE(links_that_lead_out_are_left_out),
        CASE(absolute_links_that_end_inside_are_followed),
        CASE(a_relative_link_that_leaves_and_comes_back_is_followed),
        CASE(links_lead_to_directories_that_are_named_for_it),
        CASE(a_followed_file_that_moves_out_is_not_opened),
        CASE(a_missing_directory_to_follow_to_fails_with_its_name),
        CASE(of_two_directories_the_first_one_wins),
        CASE(dangling_links_are_left_out),
        CASE(loops_of_links_come_to_an_end),
        CASE(special_files_are_left_out_and_never_waited_for),
        CASE(a_fifo_in_the_place_of_a_file_is_refused_without_waiting),
        CASE(names_that_no_url_carries_are_left_out),
        CASE(the_longest_path_is_listed_and_a_longer_one_is_not),
        CASE(a_path_beyond_the_limit_is_left_out),
        CASE(directories_at_the_depth_limit_are_walked),
        CASE(directories_beyond_the_depth_limit_fail_the_load),
        CASE(a_missing_directory_fails_with_its_name),
        CASE(a_file_in_the_place_of_the_directory_fails),
        CASE(a_link_to_the_directory_is_followed),
        CASE(what_may_not_be_entered_is_left_out),
        CASE(what_may_not_be_entered_fails_a_strict_view),
        CASE(a_directory_that_may_not_be_read_itself_fails),
        CASE(a_failure_at_a_long_path_keeps_its_reason),
        CASE(the_directory_stays_pinned_when_its_name_moves_on),
        CASE(without_openat2_links_are_followed_as_with_it),
        CASE(notices_of_one_kind_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
