/* ipc/README.md must be true: its tables are those of messages.def and errors.def, its hexdumps are
 * what our decoder reads and what their notes say.
 *
 * A hexdump block is made, or made anew, from bytes: build/tests/unit/test_readme --render client HEX
 */
#include "ipc/error.h"
#include "ipc/unpack.h"

#include "sample.h"
#include "unit.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define README UNIT_FOLDER "/../../ipc/README.md"
#define ROW_BYTES 16

static char *readme;

static void read_readme(void)
{
    FILE *file = fopen(README, "r");
    assert_non_null(file);
    readme = calloc(1, 1 << 20);
    assert_in_range(fread(readme, 1, (1 << 20) - 1, file), 10000, (1 << 20) - 2);
    fclose(file);
}

static void forget_readme(void)
{
    free(readme);
    readme = NULL;
}

/* The next line of *at into `line`; false at the end. */
static bool next_line(const char **at, char *line, size_t size)
{
    if (!**at)
        return false;
    size_t length = strcspn(*at, "\n");
    assert_in_range(length, 0, size - 1);
    memcpy(line, *at, length);
    line[length] = '\0';
    *at += length + ((*at)[length] == '\n');
    return true;
}

/* What follows a heading, up to its end in the text. */
static const char *section(const char *heading)
{
    char line[100];
    snprintf(line, sizeof line, "\n%s\n", heading);
    const char *found = strstr(readme, line);
    if (!found)
        fail_msg("README.md has no \"%s\"", heading);
    return found + strlen(line);
}

/* ---- tables ---- */

static void limit_text(const struct ipc_field *field, char *ret_text, size_t size)
{
    bool bytes = field->type == IPC_TYPE_TEXT || field->type == IPC_TYPE_BYTES;
    bool items = field->type == IPC_TYPE_PAIRS || field->type == IPC_TYPE_TEXTS
        || field->type == IPC_TYPE_LIST;
    if (field->type == IPC_TYPE_BOOL || field->type == IPC_TYPE_ONE)
        snprintf(ret_text, size, "-");
    else if (field->limit == UINT64_MAX)
        snprintf(ret_text, size, "2^64-1");
    else if (field->limit == UINT32_MAX)
        snprintf(ret_text, size, "2^32-1");
    else if (field->limit == 1 << 30)
        snprintf(ret_text, size, "2^30");
    else
        snprintf(ret_text, size, "%" PRIu64 "%s", field->limit, bytes ? " bytes" : items ? " items" : "");
}

static void initial_text(const struct ipc_field *field, char *ret_text, size_t size)
{
    if (field->rule == IPC_REQUIRED || (field->type != IPC_TYPE_UINT && field->type != IPC_TYPE_BOOL))
        snprintf(ret_text, size, "-");
    else if (field->type == IPC_TYPE_BOOL)
        snprintf(ret_text, size, "%s", field->initial ? "true" : "false");
    else if (field->initial == UINT64_MAX)
        snprintf(ret_text, size, "2^64-1");
    else
        snprintf(ret_text, size, "%" PRIu64, field->initial);
}

/* "| `url` | text | yes | 32768 bytes | - |", which some words on the meaning follow. */
static void row_text(const struct ipc_field *field, char *ret_text, size_t size)
{
    static const char *const types[] = {
        [IPC_TYPE_UINT] = "uint", [IPC_TYPE_BOOL] = "bool", [IPC_TYPE_TEXT] = "text",
        [IPC_TYPE_BYTES] = "bytes",
        [IPC_TYPE_PAIRS] = "pairs", [IPC_TYPE_TEXTS] = "texts",
    };
    static const char *const rules[] = { [IPC_REQUIRED] = "yes", [IPC_OPTIONAL] = "no",
                                         [IPC_TRUSTED] = "private" };
    char type[64], limit[32], initial[32];
    limit_text(field, limit, sizeof limit);
    initial_text(field, initial, sizeof initial);
    if (field->record)
        snprintf(type, sizeof type, "%s%s", field->type == IPC_TYPE_LIST ? "list of " : "",
                 field->record->name);
    else
        snprintf(type, sizeof type, "%s", types[field->type]);
    snprintf(ret_text, size, "| `%s` | %s | %s | %s | %s |", field->name, type, rules[field->rule], limit,
             initial);
}

static void check_rows(const struct ipc_table *table, const char *at)
{
    static const char head[] = "| field | type | required | limit | default | meaning |";
    char line[1000], row[200];
    if (table->field_count == 0)
        return;
    do {
        if (!next_line(&at, line, sizeof line) || strncmp(line, "##", 2) == 0)
            fail_msg("%s has no table", table->name);
    } while (strcmp(line, head) != 0);
    assert_true(next_line(&at, line, sizeof line));
    for (size_t i = 0; i < table->field_count; i++) {
        row_text(&table->fields[i], row, sizeof row);
        assert_true(next_line(&at, line, sizeof line));
        if (strncmp(line, row, strlen(row)) != 0)
            fail_msg("%s: \"%s\" should begin with \"%s\"", table->name, line, row);
        if (strlen(line) < strlen(row) + 8)
            fail_msg("%s: %s is not explained", table->name, table->fields[i].name);
    }
    assert_true(next_line(&at, line, sizeof line));
    if (line[0] == '|')
        fail_msg("%s: \"%s\" is one row too many", table->name, line);
}

static void every_message_has_its_section_directions_and_fields(void **state)
{
    (void)state;
    static const char *const directions[] = { "client to daemon", "daemon to client", "daemon to worker",
                                              "worker to daemon" };
    size_t count;
    const struct ipc_table *const *tables = ipc_tables(&count);
    read_readme();
    for (size_t i = 0; i < count; i++) {
        char heading[80], line[1000], said[200] = "Direction: ";
        snprintf(heading, sizeof heading, "### %s (%u)", tables[i]->name, tables[i]->number);
        const char *at = section(heading);
        for (unsigned k = 0; k < 4; k++)
            if (tables[i]->speakers & 1u << k)
                snprintf(said + strlen(said), sizeof said - strlen(said), "%s%s",
                         strlen(said) > 11 ? ", " : "", directions[k]);
        strcat(said, ".");
        next_line(&at, line, sizeof line);
        if (line[0] == '\0')
            next_line(&at, line, sizeof line);
        assert_string_equal(line, said);
        check_rows(tables[i], at);
    }
    forget_readme();
}

static void every_record_has_its_section_and_fields(void **state)
{
    (void)state;
    size_t count;
    const struct ipc_table *const *tables = ipc_tables(&count);
    read_readme();
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < tables[i]->field_count; k++) {
            char heading[80];
            const struct ipc_table *record = tables[i]->fields[k].record;
            if (!record)
                continue;
            snprintf(heading, sizeof heading, "### %s", record->name);
            check_rows(record, section(heading));
        }
    }
    forget_readme();
}

static void no_section_is_about_a_message_that_is_not_there(void **state)
{
    (void)state;
    char line[1000], name[64];
    unsigned number, found = 0;
    size_t count;
    ipc_tables(&count);
    read_readme();
    for (const char *at = readme; next_line(&at, line, sizeof line);) {
        if (sscanf(line, "### %63[A-Z_] (%u)", name, &number) != 2)
            continue;
        if (!ipc_message_name(number))
            fail_msg("there is no message %u", number);
        assert_string_equal(ipc_message_name(number), name);
        found++;
    }
    assert_int_equal(found, count);
    forget_readme();
}

static void the_table_of_errors_is_errors_def(void **state)
{
    (void)state;
    char line[1000], wanted[300];
    read_readme();
    const char *at = section("| name | exit code | meaning |");
    next_line(&at, line, sizeof line);
    for (int code = IPC_ERROR_NONE + 1; code < IPC_ERROR_COUNT; code++) {
        enum ipc_error_code error = (enum ipc_error_code)code;
        snprintf(wanted, sizeof wanted, "| `%s` | %d | %s |", ipc_error_name(error),
                 ipc_error_exit_code(error),
                 ipc_error_text(error));
        assert_true(next_line(&at, line, sizeof line));
        assert_string_equal(line, wanted);
    }
    next_line(&at, line, sizeof line);
    assert_string_equal(line, "");
    forget_readme();
}

/* ---- hexdumps: rendering ---- */

struct cursor { const uint8_t *bytes; size_t at, end; FILE *out; };

static const struct { const char *name; enum ipc_speaker speaker; } speakers[] = {
    { "client", IPC_CLIENT }, { "daemon", IPC_DAEMON_TO_CLIENT },
    { "daemon to worker", IPC_DAEMON_TO_WORKER },
    { "worker", IPC_WORKER },
};

/* `length` bytes in rows, the note behind the first. */
static void rows(struct cursor *cursor, size_t length, const char *note)
{
    assert_true(length <= cursor->end - cursor->at);
    while (length > 0) {
        size_t here = length < ROW_BYTES ? length : ROW_BYTES;
        char hex[3 * ROW_BYTES + 1] = "";
        for (size_t i = 0; i < here; i++)
            snprintf(hex + 3 * i, 4, "%02x ", cursor->bytes[cursor->at + i]);
        hex[3 * here - 1] = '\0';
        fprintf(cursor->out, "%08zx: %-*s  %s\n", cursor->at, 3 * ROW_BYTES - 1, hex, note);
        cursor->at += here;
        length -= here;
        note = "...";
    }
}

static uint64_t number_at(const struct cursor *cursor, size_t offset, size_t width)
{
    uint64_t number = 0;
    for (size_t i = 0; i < width; i++)
        number = number << 8 | cursor->bytes[cursor->at + offset + i];
    return number;
}

/* Header of the value at the cursor: its size, the count or length or number it holds. */
static char read_head(const struct cursor *cursor, size_t *ret_size, uint64_t *ret_number)
{
    static const struct { uint8_t first; char kind; size_t width; } heads[] = {
        { 0xc0, 'n', 0 }, { 0xc2, 'f', 0 }, { 0xc3, 't', 0 }, { 0xc4, 'b', 1 }, { 0xc5, 'b', 2 },
        { 0xc6, 'b', 4 },
        { 0xcc, 'u', 1 }, { 0xcd, 'u', 2 }, { 0xce, 'u', 4 }, { 0xcf, 'u', 8 }, { 0xd9, 's', 1 },
        { 0xda, 's', 2 },
        { 0xdc, 'a', 2 }, { 0xde, 'm', 2 },
    };
    uint8_t first = cursor->bytes[cursor->at];
    *ret_size = 1;
    *ret_number = first < 0x80 ? first : first < 0xa0 ? first & 0x0fu : first & 0x1fu;
    if (first < 0xc0)
        return first < 0x80 ? 'u' : first < 0x90 ? 'm' : first < 0xa0 ? 'a' : 's';
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        if (heads[i].first != first)
            continue;
        *ret_size = 1 + heads[i].width;
        *ret_number = number_at(cursor, 1, heads[i].width);
        return heads[i].kind;
    }
    fail_msg("byte %02x is not for a README", first);
    return 0;
}

static void quote(const uint8_t *bytes, size_t length, char *ret_text, size_t size)
{
    size_t used = (size_t)snprintf(ret_text, size, "\"");
    for (size_t i = 0; i < length && used + 8 < size; i++)
        used += (size_t)snprintf(ret_text + used, size - used,
                                 isprint(bytes[i]) && bytes[i] != '"' ? "%c" : "\\x%02x", bytes[i]);
    snprintf(ret_text + used, size - used, "\"");
}

/* One value, with all that is in it, `before` in front of its note. */
static void value(struct cursor *cursor, const char *before)
{
    size_t size;
    uint64_t number;
    char note[300], text[250] = "";
    char kind = read_head(cursor, &size, &number);
    if (kind == 's' || kind == 'b') {
        assert_true(number <= cursor->end - cursor->at - size);
        quote(cursor->bytes + cursor->at + size, (size_t)number, text, sizeof text);
        snprintf(note, sizeof note, "%s%s%s", before, kind == 'b' ? "bin " : "", text);
        rows(cursor, size + (size_t)number, note);
        return;
    }
    switch (kind) {
    case 'u': snprintf(note, sizeof note, "%s%" PRIu64, before, number); break;
    case 'a': snprintf(note, sizeof note, "%sarray of %" PRIu64, before, number); break;
    case 'm': snprintf(note, sizeof note, "%smap of %" PRIu64, before, number); break;
    default: snprintf(note, sizeof note, "%s%s", before, kind == 'n' ? "nil" : kind == 't' ? "true"
                      : "false"); break;
    }
    rows(cursor, size, note);
    for (uint64_t i = 0; kind == 'a' && i < number; i++)
        value(cursor, "- ");
    for (uint64_t i = 0; kind == 'm' && i < number; i++) {
        value(cursor, "key ");
        value(cursor, "= ");
    }
}

/* "# client: FETCH 1 {url: "https://..."}", by the real decoder. */
static void summary(const struct ipc_frame *frame, size_t speaker, FILE *out)
{
    struct ipc_decoder decoder;
    struct ipc_bytes payload;
    union ipc_any message;
    char text[300];
    const struct ipc_table *table = ipc_table(frame->type);
    assert_non_null(table);
    assert_int_equal(ipc_decoder_init(&decoder), 0);
    fprintf(out, "# %s: %s %u ", speakers[speaker].name, table->name, frame->id);
    if (frame->type == IPC_DATA) {
        assert_true(table->speakers & speakers[speaker].speaker);
        assert_int_equal(ipc_unpack_data(&decoder, frame, &payload), 0);
        quote(payload.data, payload.length, text, sizeof text);
        fputs(text, out);
    } else if (ipc_unpack(&decoder, speakers[speaker].speaker, frame, &message) < 0) {
        fail_msg("%s", decoder.reason);
    } else {
        sample_print(table, &message, out);
    }
    fputc('\n', out);
    ipc_decoder_finish(&decoder);
}

static void render(size_t speaker, const uint8_t *bytes, size_t length, FILE *out)
{
    struct ipc_frame frame;
    char note[80];
    assert_int_equal(ipc_frame_read(bytes, length, &frame, NULL), IPC_FRAME_OK);
    assert_int_equal(frame.whole_length, length);
    struct cursor cursor = { bytes, 0, length, out };
    summary(&frame, speaker, out);
    snprintf(note, sizeof note, "the frame is %zu bytes long", length - IPC_FRAME_PREFIX);
    rows(&cursor, IPC_FRAME_PREFIX, note);
    rows(&cursor, 1, "array of 3");
    size_t type_size, id_size;
    uint64_t number;
    read_head(&cursor, &type_size, &number);
    snprintf(note, sizeof note, "type: %s", ipc_message_name(frame.type));
    rows(&cursor, type_size, note);
    read_head(&cursor, &id_size, &number);
    snprintf(note, sizeof note, "id: %u", frame.id);
    rows(&cursor, id_size, note);
    value(&cursor, "body: ");
    assert_int_equal(cursor.at, length);
}

/* ---- hexdumps: checking ---- */

static size_t read_hex(const char *text, uint8_t *ret_bytes, size_t size)
{
    size_t length = 0;
    unsigned byte;
    int used;
    while (length < size && sscanf(text, " %2x%n", &byte, &used) == 1) {
        ret_bytes[length++] = (uint8_t)byte;
        text += used;
        if (text[0] == ' ' && text[1] == ' ')
            break;   /* a note follows */
    }
    return length;
}

static size_t speaker_of(const char *line)
{
    for (size_t i = 0; i < sizeof speakers / sizeof speakers[0]; i++) {
        size_t length = strlen(speakers[i].name);
        if (strncmp(line, "# ", 2) == 0 && strncmp(line + 2, speakers[i].name, length) == 0
            && line[2 + length] == ':')
            return i;
    }
    fail_msg("\"%s\" does not say who speaks", line);
    return 0;
}

/* One block: a summary line and its rows, as often as there are frames. */
static unsigned check_block(const char *at, const char *end, bool said[128])
{
    char line[1000];
    unsigned frames = 0;
    while (at < end) {
        const char *begin = at;
        uint8_t bytes[4096];
        size_t length = 0, speaker;
        assert_true(next_line(&at, line, sizeof line));
        speaker = speaker_of(line);
        while (at < end && *at != '#') {
            assert_true(next_line(&at, line, sizeof line));
            assert_int_equal(strtoul(line, NULL, 16), length);
            assert_int_equal(line[8], ':');
            length += read_hex(line + 9, bytes + length, ROW_BYTES);
        }
        char *wanted = NULL;
        size_t wanted_length = 0;
        FILE *out = open_memstream(&wanted, &wanted_length);
        render(speaker, bytes, length, out);
        fclose(out);
        if (wanted_length != (size_t)(at - begin) || memcmp(begin, wanted, wanted_length) != 0)
            fail_msg("this should stand in README.md:\n%s", wanted);
        free(wanted);
        assert_in_range(bytes[5], 1, 127);
        said[bytes[5]] = true;
        frames++;
    }
    return frames;
}

static void every_hexdump_says_what_its_notes_say(void **state)
{
    (void)state;
    static const unsigned shown[] = {
        IPC_HELLO, IPC_WELCOME, IPC_FETCH, IPC_HOP, IPC_RESPONSE, IPC_DATA, IPC_DONE, IPC_CREDIT, IPC_CANCEL,
        IPC_REWIND, IPC_PING, IPC_PONG, IPC_GOAWAY, IPC_ERROR, IPC_MESSAGE, IPC_STATUS,
    };
    bool said[128] = { false };
    unsigned frames = 0;
    read_readme();
    for (const char *at = readme; (at = strstr(at, "\n```hexdump\n"));) {
        at += strlen("\n```hexdump\n");
        const char *end = strstr(at, "```\n");
        assert_non_null(end);
        frames += check_block(at, end, said);
        at = end;
    }
    assert_in_range(frames, 20, 100);
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
        if (!said[shown[i]])
            fail_msg("no hexdump shows %s", ipc_message_name(shown[i]));
    forget_readme();
}

/* ---- prose ---- */

static void the_limits_it_names_are_the_limits(void **state)
{
    (void)state;
    static const struct { const char *text; uint64_t stated, real; } rows_[] = {
        { "1 MiB (1048576 bytes)", 1048576, IPC_FRAME_BYTES },
        { "64 KiB (65536 bytes)", 65536, IPC_DATA_BYTES },
        { "256 KiB (262144 bytes)", 262144, IPC_STREAM_WINDOW },
        { "16 MiB (16777216 bytes)", 16777216, IPC_CONNECTION_WINDOW },
        { "its payload plus 64", 64, IPC_FRAME_CHARGE },
    };
    read_readme();
    for (size_t i = 0; i < sizeof rows_ / sizeof rows_[0]; i++) {
        assert_int_equal(rows_[i].stated, rows_[i].real);
        if (!strstr(readme, rows_[i].text))
            fail_msg("README.md does not say \"%s\"", rows_[i].text);
    }
    forget_readme();
}

static const struct unit_test tests[] = {
    TEST(every_message_has_its_section_directions_and_fields), TEST(every_record_has_its_section_and_fields),
    TEST(no_section_is_about_a_message_that_is_not_there), TEST(the_table_of_errors_is_errors_def),
    TEST(every_hexdump_says_what_its_notes_say), TEST(the_limits_it_names_are_the_limits),
};

static int render_argument(const char *who, const char *hex)
{
    uint8_t bytes[4096];
    size_t length = 0;
    unsigned byte;
    for (; length < sizeof bytes && sscanf(hex + 2 * length, "%2x", &byte) == 1; length++)
        bytes[length] = (uint8_t)byte;
    for (size_t i = 0; i < sizeof speakers / sizeof speakers[0]; i++)
        if (strcmp(speakers[i].name, who) == 0)
            render(i, bytes, length, stdout);
    return 0;
}

static int print_tables(void)
{
    size_t count;
    const struct ipc_table *const *tables = ipc_tables(&count);
    for (size_t i = 0; i < count; i++) {
        char row[200];
        printf("### %s (%u)\n", tables[i]->name, tables[i]->number);
        for (size_t k = 0; k < tables[i]->field_count; k++) {
            row_text(&tables[i]->fields[k], row, sizeof row);
            puts(row);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--render") == 0)
        return render_argument(argv[2], argv[3]);
    if (argc == 2 && strcmp(argv[1], "--tables") == 0)
        return print_tables();
    return unit_run(tests, sizeof tests / sizeof tests[0], argc > 1 ? argv[1] : NULL);
}
