/* Metrics over HTTP on a loopback port. */
#include "exporter.h"

#include "daemon.h"
#include "log.h"
#include "metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define READERS_MOST 16
#define REQUEST_BYTES 4096        /* more than any collector's headers */
#define PATIENCE_MS 10000
#define ANSWER_BYTES (METRICS_BYTES + 1024)

struct reader {
    struct exporter *exporter;
    struct reader *prev, *next;
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_write_t write;
    unsigned open_handles;
    char request[REQUEST_BYTES];
    size_t length;
    struct ipc_buffer answer;
};

static void on_uv_closed(uv_handle_t *handle)
{
    struct reader *reader = handle->data;
    if (--reader->open_handles > 0)
        return;
    reader->exporter->reader_count--;
    DL_DELETE(reader->exporter->readers, reader);
    ipc_buffer_finish(&reader->answer);
    free(reader);
}

static void close_reader(struct reader *reader)
{
    if (uv_is_closing((uv_handle_t *)&reader->tcp))
        return;
    uv_close((uv_handle_t *)&reader->tcp, on_uv_closed);
    uv_close((uv_handle_t *)&reader->timer, on_uv_closed);
}

static void on_uv_timeout(uv_timer_t *timer)
{
    close_reader(timer->data);
}

static void on_uv_written(uv_write_t *write, int status)
{
    (void)status;
    close_reader(write->data);
}

static void append_text(struct ipc_buffer *buffer, const char *text)
{
    ipc_buffer_append(buffer, text, strlen(text));
}

static void answer(struct reader *reader)
{
    static const char wanted[] = "GET /metrics ";
    uv_read_stop((uv_stream_t *)&reader->tcp);
    if (strncmp(reader->request, wanted, sizeof wanted - 1) != 0) {
        append_text(&reader->answer, "HTTP/1.0 404 Not Found\r\nContent-Type: text/plain\r\n\r\nGET /metrics\n");
    } else {
        append_text(&reader->answer, "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\r\n");
        if (metrics_write(reader->exporter->daemon, NULL, &reader->answer) < 0) {
            close_reader(reader);
            return;
        }
    }
    uv_buf_t out = uv_buf_init((char *)ipc_buffer_data(&reader->answer),
                               (unsigned)ipc_buffer_length(&reader->answer));
    reader->write.data = reader;
    if (uv_write(&reader->write, (uv_stream_t *)&reader->tcp, &out, 1, on_uv_written) < 0)
        close_reader(reader);
}

static void on_uv_alloc(uv_handle_t *handle, size_t size, uv_buf_t *ret_buffer)
{
    struct reader *reader = handle->data;
    (void)size;
    *ret_buffer = uv_buf_init(reader->request + reader->length, (unsigned)(REQUEST_BYTES - 1 - reader->length));
}

static void on_uv_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct reader *reader = stream->data;
    (void)buffer;
    if (got < 0) {
        close_reader(reader);
        return;
    }
    reader->length += (size_t)got;
    reader->request[reader->length] = '\0';
    if (strstr(reader->request, "\r\n\r\n"))
        answer(reader);
    else if (reader->length == REQUEST_BYTES - 1)
        close_reader(reader);
}

static void on_uv_connection(uv_stream_t *server, int status)
{
    struct exporter *exporter = server->data;
    struct reader *reader = status < 0 ? NULL : calloc(1, sizeof *reader);
    if (!reader)
        return;
    reader->exporter = exporter;
    reader->open_handles = 2;
    exporter->reader_count++;
    DL_APPEND(exporter->readers, reader);
    ipc_buffer_init(&reader->answer, ANSWER_BYTES);
    uv_tcp_init(&exporter->daemon->loop, &reader->tcp);
    uv_timer_init(&exporter->daemon->loop, &reader->timer);
    reader->tcp.data = reader->timer.data = reader;
    if (uv_accept(server, (uv_stream_t *)&reader->tcp) < 0 || exporter->reader_count > READERS_MOST) {
        close_reader(reader);
        return;
    }
    uv_timer_start(&reader->timer, on_uv_timeout, PATIENCE_MS, 0);
    uv_read_start((uv_stream_t *)&reader->tcp, on_uv_alloc, on_uv_read);
}

int exporter_open(struct exporter *exporter, struct daemon *daemon, unsigned port)
{
    struct sockaddr_in address;
    *exporter = (struct exporter){ .daemon = daemon };
    uv_ip4_addr("127.0.0.1", (int)port, &address);
    int status = uv_tcp_init(&daemon->loop, &exporter->tcp);
    if (status < 0)
        return status;
    exporter->open = true;
    exporter->tcp.data = exporter;
    status = uv_tcp_bind(&exporter->tcp, (const struct sockaddr *)&address, 0);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&exporter->tcp, READERS_MOST, on_uv_connection);
    if (status == 0)
        log_info("daemon: metrics on http://127.0.0.1:%u/metrics", port);
    else
        exporter_close(exporter);
    return status;
}

void exporter_close(struct exporter *exporter)
{
    struct reader *reader;
    if (!exporter->open)
        return;
    exporter->open = false;
    uv_close((uv_handle_t *)&exporter->tcp, NULL);
    DL_FOREACH(exporter->readers, reader)
        close_reader(reader);
}
