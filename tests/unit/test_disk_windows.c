/* disk.c, folder.c and attend.c on Windows: names, files that take another's place, inputs. */
#include "client/fetchctl/attend.h"
#include "client/fetchctl/disk.h"
#include "client/fetchctl/folder.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <process.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

static void a_name_becomes_one_that_is_a_file_here(void **state)
{
    (void)state;
    static const struct { const char *given, *wanted; } rows[] = {
        { "a.html", "a.html" }, { "\u00e4\u4e16.txt", "\u00e4\u4e16.txt" }, { "..\\..\\x", ".._.._x" },
        { "C:x", "C_x" }, { "a:stream", "a_stream" }, { "what?*<>|\"", "what______" }, { "end.", "end_" },
        { "end. .", "end___" }, { "con", "_on" }, { "NUL.txt", "_UL.txt" }, { "aux .c", "_ux .c" },
        { "COM1", "_OM1" }, { "lpt9.log", "_pt9.log" }, { "comb", "comb" }, { "com10", "com10" },
        { "console", "console" }, { "a\tb", "a_b" }, { "CONIN$", "_ONIN$" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[100];
        strcpy(name, rows[i].given);
        disk_clean_name(name);
        assert_string_equal(name, rows[i].wanted);
        assert_int_equal(disk_takes_name(rows[i].given), strcmp(rows[i].given, rows[i].wanted) == 0);
    }
}

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void expect_content(const char *path, const char *wanted)
{
    char content[100] = "";
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t length = fread(content, 1, sizeof content - 1, file);
    fclose(file);
    content[length] = '\0';
    assert_string_equal(content, wanted);
}

static void a_file_takes_the_place_of_another_only_where_it_may(void **state)
{
    (void)state;
    char folder[UNIT_PATH_BYTES], from[UNIT_PATH_BYTES + 8], to[UNIT_PATH_BYTES + 8];
    unit_make_folder(folder);
    snprintf(from, sizeof from, "%s\\from", folder);
    snprintf(to, sizeof to, "%s\\to", folder);
    write_file(from, "new");
    write_file(to, "old");
    assert_int_equal(disk_rename(from, to), -1);
    assert_int_equal(errno, EEXIST);
    expect_content(to, "old");
    assert_int_equal(disk_replace(from, to), 0);
    expect_content(to, "new");
    assert_int_equal(disk_make_folder(folder), 0);
    assert_int_equal(disk_make_folder(to), -1);
    remove(to);
    RemoveDirectoryA(folder);
}

static void bodies_of_one_name_are_numbered(void **state)
{
    (void)state;
    static const char *const wanted[] = { "a.txt", "a-2.txt", "a-3.txt" };
    char path[UNIT_PATH_BYTES], file[UNIT_PATH_BYTES + 16];
    struct folder folder = { .fd = -1 };
    unit_make_folder(path);
    assert_int_equal(folder_open(&folder, path), 0);
    for (size_t i = 0; i < 3; i++) {
        struct saved saved;
        assert_int_equal(folder_begin(&folder, NULL, "http://h/a.txt", &saved), 0);
        assert_int_equal(saved_write(&saved, "a\r\nb\n", 5), 0);
        assert_int_equal(folder_keep(&folder, &saved), 0);
        assert_string_equal(saved.name, wanted[i]);
        snprintf(file, sizeof file, "%s/%s", path, saved.name);
        expect_content(file, "a\r\nb\n");
        remove(file);
        folder_drop(&folder, &saved);
    }
    folder_close(&folder);
    assert_true(RemoveDirectoryA(path));
}

/* ---- inputs ---- */

static int ends[2];

static unsigned __stdcall write_later(void *data)
{
    Sleep(100);
    (void)data;
    _write(ends[1], "hello", 5);
    Sleep(100);
    _close(ends[1]);
    return 0;
}

static void a_pipe_is_waited_for_until_it_has_something_or_its_end(void **state)
{
    (void)state;
    char bytes[10];
    struct fetchd_client *client = fetchd_open("pipe:\\\\.\\pipe\\fetchd-unit-nobody");
    struct attend wait = { .client = client, .timeout_ms = 10000 };
    unit_pipe(ends);
    wait.input = ends[0];
    assert_false(attend_readable(ends[0]));
    HANDLE thread = (HANDLE)_beginthreadex(NULL, 0, write_later, NULL, 0, NULL);
    assert_int_equal(attend(&wait), 1);
    assert_true(wait.has_input);
    assert_int_equal(_read(ends[0], bytes, sizeof bytes), 5);
    assert_int_equal(attend(&wait), 1);
    assert_true(wait.has_input);
    assert_int_equal(_read(ends[0], bytes, sizeof bytes), 0);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    _close(ends[0]);
    fetchd_close(client);
}

static void a_silent_pipe_holds_up_nothing_else(void **state)
{
    (void)state;
    struct fetchd_client *client = fetchd_open("pipe:\\\\.\\pipe\\fetchd-unit-nobody");
    struct attend wait = { .client = client, .timeout_ms = 50 };
    unit_pipe(ends);
    wait.input = ends[0];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(attend(&wait), 0);
        assert_false(wait.has_input);
        assert_false(attend_readable(ends[0]));
    }
    SetEvent(fetchd_handle(client));
    wait.timeout_ms = 10000;
    assert_int_equal(attend(&wait), 1);
    assert_false(wait.has_input);
    _close(ends[1]);
    _close(ends[0]);
    fetchd_close(client);
}

UNIT_TESTS(TEST(a_name_becomes_one_that_is_a_file_here), TEST(a_file_takes_the_place_of_another_only_where_it_may),
           TEST(bodies_of_one_name_are_numbered), TEST(a_pipe_is_waited_for_until_it_has_something_or_its_end),
           TEST(a_silent_pipe_holds_up_nothing_else))
