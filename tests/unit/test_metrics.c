/* metrics.c: one exposition fits one frame, however much there is to tell. */
#include "daemon/metrics.h"

#include "daemon/origin.h"
#include "daemon/principal.h"
#include "daemon/proxy.h"

#include "stage.h"

#include <stdio.h>
#include <string.h>

static void hold_origins(unsigned count)
{
    char url[400];
    for (unsigned i = 0; i < count; i++) {
        struct ipc_origin parsed;
        const char *reason;
        snprintf(url, sizeof url, "https://%060u.%060u.%060u.example:8443/", i, i, i);
        assert_int_equal(ipc_origin_parse(ipc_text(url), &parsed, &reason), 0);
        struct origin *origin = origins_hold(&stage.daemon->origins, &parsed);
        for (int reason_of = 0; reason_of < HEALTH_REASONS; reason_of++)
            origin->health.failures[reason_of] = UINT64_MAX / 2;
    }
}

static void name_proxies(unsigned count)
{
    char name[400];
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof name, "http://%0110u:3128", i);
        assert_non_null(proxies_find(&stage.daemon->proxies, ipc_text(name)));
    }
}

static void write_whole(struct ipc_buffer *out)
{
    ipc_buffer_init(out, METRICS_BYTES);
    assert_int_equal(metrics_write(stage.daemon, NULL, out), 0);
    assert_int_equal(ipc_buffer_append(out, "", 1), 0);
}

static const char *text_of(struct ipc_buffer *out)
{
    return (const char *)ipc_buffer_data(out);
}

static void a_thousand_proxies_and_origins_fit_one_frame(void **state)
{
    (void)state;
    struct ipc_buffer out;
    stage_begin(1, NULL);
    hold_origins(1000);
    name_proxies(2000);
    write_whole(&out);
    const char *text = text_of(&out);
    assert_in_range(strlen(text), 100000, METRICS_BYTES);
    assert_non_null(strstr(text, "\nfetchd_proxy_tls_handshakes_total{"));
    assert_non_null(strstr(text, "\nfetchd_metrics_dropped 0\n"));
    ipc_buffer_finish(&out);
    stage_end();
}

/* Whole lines are left out, and that is said. */
static void what_finds_no_room_is_left_out_and_counted(void **state)
{
    (void)state;
    struct ipc_buffer out;
    stage_begin(1, NULL);
    for (uint64_t user = 1; user <= 20000; user++)
        assert_non_null(principals_find(&stage.daemon->principals, user));
    write_whole(&out);
    const char *text = text_of(&out), *last = strstr(text, "\nfetchd_metrics_dropped ");
    assert_non_null(last);
    assert_int_not_equal(strncmp(last + 1, "fetchd_metrics_dropped 0\n", 25), 0);
    assert_int_equal(text[strlen(text) - 1], '\n');
    for (const char *line = text; *line; line = strchr(line, '\n') + 1)
        assert_true(strncmp(line, "# ", 2) == 0 || strncmp(line, "fetchd_", 7) == 0);
    ipc_buffer_finish(&out);
    stage_end();
}

UV_TESTS(TEST(a_thousand_proxies_and_origins_fit_one_frame), TEST(what_finds_no_room_is_left_out_and_counted))
