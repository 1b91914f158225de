/* store.c: persistent sessions in files that are whole or set aside. */
#include "daemon/principal.h"
#include "daemon/store.h"
#include "daemon/suffix.h"

#include "ipc/unpack.h"

#include "place.h"
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifdef O_BINARY
#define BINARY O_BINARY
#else
#define BINARY 0
#endif

static char state[UNIT_PATH_BYTES], folder[UNIT_PATH_BYTES + 16];
static uv_loop_t loop;
static struct store store;
static struct principals principals;
static struct suffixes *suffixes;
static struct ipc_decoder decoder;
static struct jar_rules rules;

static void open_store(void)
{
    char error[STORE_ERROR_BYTES] = "";
    if (store_open(&store, &loop, state, error) < 0)
        fail_msg("%s", error);
}

static void load(void)
{
    memset(&principals, 0, sizeof principals);
    store_load(&store, &principals, &decoder, &rules);
}

static void begin(void)
{
    unit_make_folder(state);
    snprintf(folder, sizeof folder, "%s/sessions", state);
    uv_loop_init(&loop);
    suffixes = suffixes_open();
    assert_int_equal(ipc_decoder_init(&decoder), 0);
    rules = (struct jar_rules){ suffixes, { 3000, 180, 1 << 24 }, { 1000, 1 << 24 }, (uint64_t)time(NULL) };
    open_store();
    load();
}

static void remove_all(const char *path)
{
    DIR *list = opendir(path);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        char one[700];
        snprintf(one, sizeof one, "%s/%s", path, entry->d_name);
        unlink(one);
    }
    if (list)
        closedir(list);
    rmdir(path);
}

static void end(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    principals_finish(&principals);
    store_close(&store);
    suffixes_close(suffixes);
    ipc_decoder_finish(&decoder);
    assert_int_equal(uv_loop_close(&loop), 0);
    remove_all(folder);
    remove_all(state);
}

/* As after a restart. */
static void restart(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    principals_finish(&principals);
    store_close(&store);
    open_store();
    load();
}

static struct ipc_bytes bytes(const char *string)
{
    return (struct ipc_bytes){ (const uint8_t *)string, strlen(string) };
}

static struct jar *make(uint64_t user, const char *name)
{
    return jars_create(&principals_find(&principals, user)->jars, ipc_text(name), true, rules.now_s);
}

static void put(struct jar *jar, const char *name, const char *value)
{
    struct ipc_cookie cookie = { .name = bytes(name), .value = bytes(value), .domain = IPC_TEXT("shop.test"),
                                 .path = bytes("/x"), .expires_s = rules.now_s + 1000, .secure = true };
    assert_true(jar_put_cookie(jar, &cookie, &rules));
}

static struct jar *find(uint64_t user, const char *name)
{
    return jars_find(&principals_find(&principals, user)->jars, ipc_text(name));
}

static char *path_of(const char *name)
{
    static char path[sizeof folder + 100];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static bool exists(const char *name)
{
    return access(path_of(name), F_OK) == 0;
}

static void a_session_is_there_again(void **test)
{
    (void)test;
    begin();
    struct jar *jar = make(1000, "work");
    struct ipc_hsts hsts = {
        .host = IPC_TEXT("shop.test"), .expires_s = rules.now_s + 500, .subdomains = true };
    put(jar, "a", "\xff\xfe binary");
    put(jar, "b", "");
    assert_true(jar_put_hsts(jar, &hsts, &rules));
    store_save_now(&store, jar, rules.now_s);
    assert_false(jar->dirty);
    store_save_now(&store, make(1001, "work"), rules.now_s);
    restart();
    jar = find(1000, "work");
    assert_non_null(jar);
    assert_int_equal(jar->cookies.count, 2);
    struct ipc_cookie cookie = cookie_record(jar->cookies.oldest);
    assert_text_equal(cookie.name, "a");
    assert_text_equal(cookie.value, "\xff\xfe binary");
    assert_text_equal(cookie.path, "/x");
    assert_int_equal(cookie.expires_s, rules.now_s + 1000);
    assert_true(cookie.secure);
    assert_true(hsts_covers(&jar->hsts, "www.shop.test", rules.now_s));
    assert_true(jar->persistent);
    assert_false(jar->dirty);
    assert_int_equal(find(1001, "work")->cookies.count, 0);
    end();
}

static void files_are_the_daemons_own(void **test)
{
    (void)test;
    begin();
    umask(0);
    store_save_now(&store, make(1000, "work"), rules.now_s);
    assert_true(place_is_private(path_of("1000-work.session")));
    assert_true(place_is_private(folder));
    assert_false(exists("1000-work.session.new"));
    end();
}

static void a_thread_writes_and_a_removed_session_leaves_no_file(void **test)
{
    (void)test;
    begin();
    struct jar *kept = make(1000, "kept"), *gone = make(1000, "gone"), *idle = make(1000, "idle");
    put(kept, "a", "1");
    store_save(&store, kept, rules.now_s);
    store_save(&store, kept, rules.now_s);   /* one at a time */
    store_save(&store, gone, rules.now_s);
    store_remove(&store, gone);
    jar_remove(gone);
    store_save_now(&store, idle, rules.now_s);
    store_remove(&store, idle);
    jar_remove(idle);
    restart();
    assert_non_null(find(1000, "kept"));
    assert_int_equal(find(1000, "kept")->cookies.count, 1);
    assert_null(find(1000, "gone"));
    assert_false(exists("1000-gone.session"));
    assert_false(exists("1000-idle.session"));
    end();
}

/* Twice the frames that one message takes. */
static void a_large_session_is_written_in_parts(void **test)
{
    (void)test;
    static char value[3000];
    begin();
    rules.limits = (struct cookies_limits){ 3000, 3000, 1 << 26 };
    struct jar *jar = make(1000, "large");
    memset(value, 'v', sizeof value - 1);
    for (unsigned i = 0; i < 1200; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        put(jar, name, i % 2 ? value : "short");
    }
    store_save_now(&store, jar, rules.now_s);
    restart();
    assert_int_equal(find(1000, "large")->cookies.count, 1200);
    end();
}

/* ---- damage ---- */

static size_t read_file(const char *name, uint8_t *content, size_t size)
{
    int file = open(path_of(name), O_RDONLY | BINARY);
    ssize_t length = read(file, content, size);
    close(file);
    assert_true(length > 0);
    return (size_t)length;
}

static void write_file(const char *name, const void *content, size_t length)
{
    int file = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | BINARY, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, content, length), length);
    close(file);
}

static void a_file_cut_anywhere_is_set_aside(void **test)
{
    (void)test;
    static uint8_t content[65536];
    begin();
    struct jar *jar = make(1000, "work");
    struct ipc_hsts hsts = { .host = IPC_TEXT("shop.test"), .expires_s = rules.now_s + 500 };
    put(jar, "a", "1");
    jar_put_hsts(jar, &hsts, &rules);
    store_save_now(&store, jar, rules.now_s);
    size_t length = read_file("1000-work.session", content, sizeof content);
    for (size_t cut = 0; cut < length; cut++) {
        write_file("1000-work.session", content, cut);
        restart();
        assert_null(find(1000, "work"));
        assert_false(exists("1000-work.session"));
        assert_true(exists("1000-work.session.damaged"));
    }
    write_file("1000-work.session", content, length);
    restart();
    assert_non_null(find(1000, "work"));
    end();
}

static void what_is_no_session_is_set_aside_and_does_no_harm(void **test)
{
    (void)test;
    static uint8_t content[65536];
    begin();
    store_save_now(&store, make(1000, "good"), rules.now_s);
    size_t length = read_file("1000-good.session", content, sizeof content);
    for (size_t i = 0; i < length; i++) {
        uint8_t kept = content[i];
        content[i] ^= (uint8_t)(1 + i % 255);
        write_file("1000-flipped.session", content, length);
        restart();
        assert_non_null(find(1000, "good"));
        content[i] = kept;
    }
    write_file("1000-noise.session", "\x00\x00\x00\x04\x93\x28\x01\x80GET / HTTP/1.1\r\n", 24);
    write_file("1000-.session", "x", 1);
    write_file("x-y.session", "x", 1);
    write_file("1000-a b.session", "x", 1);
    write_file("99999999999999999999999-a.session", "x", 1);
    write_file("1000-half.session.new", "x", 1);
    write_file("README", "x", 1);
    place_make_strange(folder);
    restart();
    assert_int_equal(jars_count(&principals_find(&principals, 1000)->jars), 1);
    assert_true(exists("1000-noise.session.damaged"));
    assert_false(exists("1000-half.session.new"));
    assert_true(exists("README"));
    end();
}

static void a_folder_that_others_may_write_to_is_not_used_as_it_is(void **test)
{
    (void)test;
    char error[STORE_ERROR_BYTES];
    struct store other;
    begin();
    assert_int_equal(store_open(&other, &loop, state, error), -1);
    assert_non_null(strstr(error, "another fetchd"));
    store_close(&store);
    place_open_up(folder);
    assert_int_equal(store_open(&store, &loop, state, error), place_is_refused ? -1 : 0);
    if (place_is_refused) {
        assert_non_null(strstr(error, folder));
        assert_int_equal(chmod(folder, 0700), 0);
    } else {
        assert_true(place_is_private(folder));
        store_close(&store);
    }
    open_store();
    end();
}

static void a_session_that_cant_be_written_stays_dirty_and_the_old_file_whole(void **test)
{
    (void)test;
    begin();
    struct jar *jar = make(1000, "work");
    put(jar, "a", "1");
    store_save_now(&store, jar, rules.now_s);
    put(jar, "b", "2");
    place_block(path_of("1000-work.session.new"));   /* where the new one is to be written */
    store_save_now(&store, jar, rules.now_s);
    assert_true(jar->dirty);
    restart();
    assert_int_equal(find(1000, "work")->cookies.count, 1);
    place_unblock(path_of("1000-work.session.new"));
    end();
}

UV_TESTS(TEST(a_session_is_there_again), TEST(files_are_the_daemons_own),
         TEST(a_thread_writes_and_a_removed_session_leaves_no_file),
         TEST(a_large_session_is_written_in_parts), TEST(a_file_cut_anywhere_is_set_aside),
         TEST(what_is_no_session_is_set_aside_and_does_no_harm),
         TEST(a_folder_that_others_may_write_to_is_not_used_as_it_is),
         TEST(a_session_that_cant_be_written_stays_dirty_and_the_old_file_whole))
