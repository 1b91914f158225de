/* One URL after the other, as curl does: each with its output, its retries and its -w. */
#include "get.h"

#include "attend.h"
#include "client/formdata.h"
#include "file.h"
#include "memory.h"
#include "multipart.h"
#include "recipe.h"
#include "resume.h"
#include "say.h"
#include "transfer.h"
#include "writeout.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_PAUSE_MS 600000

struct get {
    const struct options *options;
    struct fetchd_client *client;
    struct recipe recipe;
    struct body body;
    bool has_body;
    struct text inline_body;
    char *write_out;
};

/* ---- the command line as a whole ---- */

static int check_words(const struct options *options)
{
    if (options->words.count == 0) {
        say("no URL given; try 'fetchctl help'");
        return EXIT_USAGE;
    }
    if (options->words.count < options->outputs.count) {
        say("there are more -o and -O than URLs");
        return EXIT_USAGE;
    }
    return 0;
}

static int check_resume(const struct options *options)
{
    if (!options->continue_at || !options->upload)
        return 0;
    for (size_t i = 0; i < options->words.count; i++) {
        if (resume_is_possible(options->words.items[i]) && strcmp(options->upload, "-") != 0)
            continue;
        say("-C with -T resumes the upload of a file to an FTP server, and nothing else");
        return EXIT_USAGE;
    }
    return 0;
}

static int check_bodies(const struct options *options)
{
    int bodies = (options->has_data && !options->data_in_query) + (options->forms.count > 0)
        + (options->upload != NULL);
    if (bodies > 1) {
        say("-d, -F and -T exclude each other");
        return EXIT_USAGE;
    }
    if (bodies == 1 && options->command == COMMAND_GET && !options->method) {
        say("get sends no body: use post, put, or request -X METHOD");
        return EXIT_USAGE;
    }
    if (options->words.count > 1 && (options->etag_save || options->etag_compare)) {
        say("--etag-save and --etag-compare are for one URL");
        return EXIT_USAGE;
    }
    if (options->continue_at && options->range) {
        say("-C resumes a transfer: not together with -r");
        return EXIT_USAGE;
    }
    return check_resume(options);
}

static int read_write_out(struct get *get)
{
    const char *format = get->options->write_out;
    struct text text = { 0 };
    if (!format)
        return 0;
    if (format[0] == '@' && file_read(format + 1, &text) < 0) {
        say("can't read %s: %s", format + 1, strerror(errno));
        return EXIT_READ;
    }
    if (format[0] != '@')
        text_add_string(&text, format);
    must_have(!text.failed);
    get->write_out = text_take(&text);
    return writeout_check(get->write_out ? get->write_out : "");
}

/* ---- the body that goes up ---- */

static int build_form(struct get *get)
{
    char boundary[FORMDATA_BOUNDARY_BYTES];
    if (formdata_boundary(boundary) < 0) {
        say("no random numbers for a form's boundary: %s", strerror(errno));
        return EXIT_READ;
    }
    char *type = must_print("multipart/form-data; boundary=%s", boundary);
    recipe_add_default(&get->recipe, "Content-Type", type);
    free(type);
    return multipart_build(&get->body, &get->options->forms, boundary);
}

static int build_body(struct get *get)
{
    const struct options *options = get->options;
    body_init(&get->body);
    bool has_data = options->has_data && !options->data_in_query;
    get->has_body = has_data || options->forms.count > 0 || options->upload;
    if (has_data)
        must_have(!options->data.failed && body_add_memory(&get->body, options->data.data, options->data.length) == 0);
    else if (options->forms.count > 0)
        return build_form(get);
    else if (options->upload && body_add_file(&get->body, options->upload) < 0) {
        say("can't read %s: %s", options->upload, strerror(errno));
        return EXIT_READ;
    }
    return 0;
}

/* A small body goes inside the FETCH: the daemon can then send it again by itself. */
static int load_small_body(struct get *get)
{
    char buffer[16384];
    ssize_t got;
    if (!get->has_body || get->body.length > FETCHD_INLINE_BODY_BYTES)
        return 0;
    while ((got = body_read(&get->body, buffer, sizeof buffer)) > 0)
        text_add(&get->inline_body, buffer, (size_t)got);
    if (got < 0) {
        say("can't read the body to send: %s", strerror(errno));
        return EXIT_READ;
    }
    get->recipe.options.body = get->inline_body.data;
    get->recipe.options.body_size = get->inline_body.length;
    return 0;
}

static int prepare(struct get *get)
{
    int code = check_words(get->options);
    if (code == 0)
        code = check_bodies(get->options);
    if (code == 0)
        code = read_write_out(get);
    if (code == 0)
        code = recipe_init(&get->recipe, get->options);
    if (code == 0)
        get->recipe.options.want_certs = get->write_out && strstr(get->write_out, "certs}");
    if (code == 0)
        code = build_body(get);
    if (code == 0)
        code = load_small_body(get);
    if (code == 0 && get->options->words.count > 1 && get->has_body && !get->body.rewindable
        && get->body.length == UINT64_MAX) {
        say("what comes from stdin can be sent to one URL only");
        code = EXIT_USAGE;
    }
    return code;
}

/* ---- one URL ---- */

/* curl's rule: a URL that ends with / gets the name of the file. */
static char *upload_url(const struct options *options, const char *url)
{
    size_t length = strlen(url);
    if (!options->upload || strcmp(options->upload, "-") == 0 || length == 0 || url[length - 1] != '/')
        return must_copy(url);
    const char *slash = strrchr(options->upload, '/');
    return must_print("%s%s", url, slash ? slash + 1 : options->upload);
}

static int choose_output(struct transfer *transfer, const struct options *options, size_t index,
                         const char *url)
{
    bool is_named = index < options->outputs.count;
    const char *path = is_named ? options->outputs.items[index] : NULL;
    char *name = NULL;
    if (is_named && !path) {
        name = output_name_of(url);
        if (!name) {
            say("-O: the URL %s has no file name", url);
            return EXIT_WRITE;
        }
        path = name;
    }
    output_init(&transfer->output, path, options->create_dirs);
    free(name);
    return 0;
}

/* -C: the headers get a Range, the file is gone on with. */
static int choose_resume(struct transfer *transfer, const char *continue_at,
                         struct fetchd_header **ret_headers, char **ret_range)
{
    char *rest;
    if (!continue_at || transfer->options->upload)
        return 0;
    transfer->resumed = true;
    if (strcmp(continue_at, "-") == 0) {
        transfer->resume_bytes = output_size(&transfer->output);
    } else {
        transfer->resume_bytes = strtoull(continue_at, &rest, 10);
        if (*rest || *continue_at < '0' || *continue_at > '9') {
            say("-C: '%s' is neither an offset nor -", continue_at);
            return EXIT_USAGE;
        }
    }
    if (transfer->resume_bytes == 0)
        return 0;
    size_t count = transfer->asked.header_count;
    struct fetchd_header *headers = must_allocate(count + 1, sizeof *headers);
    if (count > 0)
        memcpy(headers, transfer->asked.headers, count * sizeof *headers);
    *ret_range = must_print("bytes=%" PRIu64 "-", transfer->resume_bytes);
    headers[count] = (struct fetchd_header){ "Range", *ret_range };
    *ret_headers = headers;
    transfer->asked.headers = headers;
    transfer->asked.header_count = count + 1;
    transfer->output.append = true;
    return 0;
}

static void choose_body(struct get *get, struct transfer *transfer)
{
    if (!get->has_body || get->body.length <= FETCHD_INLINE_BODY_BYTES)
        return;
    transfer->body = &get->body;
    transfer->asked.body_streamed = true;
    transfer->asked.body_length = get->body.length == UINT64_MAX ? 0 : get->body.length;
    transfer->asked.rewindable = get->body.rewindable;
}

/* The end of -C with -T, when there is nothing to send. */
static int choose_upload_resume(struct get *get, struct transfer *transfer, bool *ret_whole)
{
    *ret_whole = false;
    if (!get->options->continue_at || !get->options->upload)
        return 0;
    int code = resume_upload(get->client, &transfer->asked, get->options->continue_at, &get->body, ret_whole);
    transfer->body = &get->body;
    return code;
}

/* A daemon that is replaced takes nothing new, and its successor waits at the same socket: asked once more,
 * without a pause and uncounted. */
static void run_here_or_there(struct transfer *transfer)
{
    transfer_run(transfer);
    if (!transfer->moves || (transfer->body && body_rewind(transfer->body) < 0))
        return;
    transfer_reset(transfer);
    transfer_run(transfer);
}

/* curl's pauses: one second, then twice as long each time, ten minutes at most. */
static void run_with_retries(struct get *get, struct transfer *transfer, uint64_t *ret_retries)
{
    uint64_t pause_ms = 1000;
    run_here_or_there(transfer);
    for (*ret_retries = 0; transfer->code != 0 && transfer->retryable && *ret_retries < get->options->retry;
         ++*ret_retries) {
        if (transfer->body && body_rewind(transfer->body) < 0)
            return;
        if (!get->options->silent)
            say("%s; asking again in %" PRIu64 " s", transfer->message, pause_ms / 1000);
        attend_time((int)pause_ms);
        pause_ms = pause_ms * 2 > LONGEST_PAUSE_MS ? LONGEST_PAUSE_MS : pause_ms * 2;
        transfer_reset(transfer);
        run_here_or_there(transfer);
    }
}

static void write_out(const struct get *get, const struct transfer *transfer, size_t index, const char *file,
                      uint64_t retries)
{
    static const struct fetchd_done nothing = { .remote = "" };
    const struct writeout values = {
        .options = &transfer->asked,
        .done = transfer->done.remote ? &transfer->done : &nothing,
        .response = transfer->response,
        .file = file,
        .error_message = transfer->message ? transfer->message : "",
        .exit_code = transfer->code,
        .body_bytes = transfer->body_bytes,
        .url_number = index,
        .retries = retries,
        .redirects = transfer->hops,
    };
    writeout_print(get->write_out, &values);
}

/* Says what failed, closes the file, prints -w. The exit code. */
static int conclude(struct get *get, struct transfer *transfer, size_t index, uint64_t retries)
{
    char *file = must_copy(transfer->output.path ? transfer->output.path : "");
    /* What did not change leaves the file as it is. */
    bool unchanged = transfer->response && transfer->response->status == 304;
    if (output_end(&transfer->output, transfer->code == 0 && !unchanged) < 0 && transfer->code == 0)
        transfer->code = EXIT_WRITE;
    if (transfer->message && (!get->options->silent || get->options->show_error))
        say("(%d) %s", transfer->code, transfer->message);
    if (get->write_out)
        write_out(get, transfer, index, file, retries);
    free(file);
    return transfer->code;
}

static int fetch_one(struct get *get, size_t index)
{
    struct transfer transfer = { .options = get->options, .client = get->client,
                                 .asked = get->recipe.options };
    struct fetchd_header *headers = NULL;
    char *range = NULL, *target = upload_url(get->options, get->options->words.items[index]);
    char *url = recipe_url(get->options, target);
    uint64_t retries;
    bool is_whole = false;
    transfer.asked.url = url;
    if (get->options->dump_header)
        output_init(&transfer.head, get->options->dump_header, get->options->create_dirs);
    transfer.head.append = index > 0;
    choose_body(get, &transfer);
    int code = choose_output(&transfer, get->options, index, target);
    if (code == 0)
        code = choose_resume(&transfer, get->options->continue_at, &headers, &range);
    if (code == 0 && transfer.body && index > 0)
        body_rewind(transfer.body);
    if (code == 0)
        code = choose_upload_resume(get, &transfer, &is_whole);
    if (code == 0 && !is_whole) {
        run_with_retries(get, &transfer, &retries);
        code = conclude(get, &transfer, index, retries);
    } else {
        output_end(&transfer.output, false);
    }
    if (get->options->dump_header && output_end(&transfer.head, false) < 0 && code == 0)
        code = EXIT_WRITE;
    transfer_finish(&transfer);
    free(headers);
    free(range);
    free(target);
    free(url);
    return code;
}

int get_run(struct fetchd_client *client, const struct options *options)
{
    struct get get = { .options = options, .client = client };
    int code = prepare(&get), result;
    size_t count = code == 0 ? options->words.count : 0;
    for (size_t i = 0; i < count; i++)
        if ((result = fetch_one(&get, i)) != 0)
            code = result;   /* the last failure; curl would let a later success hide it */
    recipe_finish(&get.recipe);
    body_finish(&get.body);
    text_finish(&get.inline_body);
    free(get.write_out);
    return code;
}
