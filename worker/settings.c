/* SETTINGS, checked and given defaults where it says nothing. */
#include "settings.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_HEADER_BYTES (256 * 1024)
#define DEFAULT_PER_MULTI 128
#define DEFAULT_PARTITIONS 1024
#define DEFAULT_PARTITION_IDLE_MS 120000
#define DEFAULT_THREADS 32

static unsigned number_or(uint64_t value, unsigned otherwise)
{
    return value ? (unsigned)value : otherwise;
}

static void take_numbers(const struct ipc_settings *message, struct settings *settings)
{
    settings->number = (unsigned)message->worker;
    settings->connect_timeout_ms = message->connect_timeout_ms;
    settings->tls_timeout_ms = message->tls_timeout_ms;
    settings->headers_timeout_ms = message->headers_timeout_ms;
    settings->idle_timeout_ms = message->idle_timeout_ms;
    settings->total_timeout_ms = message->total_timeout_ms;
    settings->max_body_bytes = message->max_body_bytes;
    settings->max_header_bytes = number_or(message->max_header_bytes, DEFAULT_HEADER_BYTES);
    settings->connections = (unsigned)message->connections;   /* 0: worker.c asks the system */
    settings->connections_per_multi = number_or(message->connections_per_multi, DEFAULT_PER_MULTI);
    settings->partitions = number_or(message->partitions, DEFAULT_PARTITIONS);
    settings->partition_idle_ms = number_or(message->partition_idle_ms, DEFAULT_PARTITION_IDLE_MS);
    settings->resolver_threads = number_or(message->resolver_threads, DEFAULT_THREADS);
    settings->dns_lifetime_ms = message->dns_lifetime_ms;
}

static bool take_text(struct ipc_text text, char *ret_text, size_t size)
{
    if (text.length >= size || (text.length > 0 && memchr(text.data, '\0', text.length)))
        return false;
    if (text.length > 0)
        memcpy(ret_text, text.data, text.length);
    ret_text[text.length] = '\0';
    return true;
}

static int take_tls_min(struct ipc_text text, struct settings *settings)
{
    if (text.length == 0)
        text = IPC_TEXT("1.2");
    bool known = text.length == 3 && text.data[0] == '1' && text.data[1] == '.' && text.data[2] >= '0'
        && text.data[2] <= '3';
    return known && take_text(text, settings->tls_min, sizeof settings->tls_min) ? 0 : -1;
}

static int take_user_agent(struct ipc_text text, struct settings *settings)
{
    if (text.length == 0)
        text = IPC_TEXT("fetchd/" FETCHD_VERSION);
    if (text.length >= sizeof settings->user_agent)
        return -1;
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return -1;
    memcpy(settings->user_agent, text.data, text.length);
    settings->user_agent[text.length] = '\0';
    return 0;
}

static struct tls_trust *add_system_roots(struct tls_trust *base, const char **ret_reason)
{
    struct tls_trust *both = tls_trust_system(base);
    tls_trust_destroy(base);
    if (!both)
        *ret_reason = "no memory for the system's certificates";
    return both;
}

static int take_trust(const struct ipc_settings *message, struct settings *settings, char *ret_reason, size_t size)
{
    const char *reason = NULL;
    if (message->ca_pem.length > 0)
        settings->trust = tls_trust_create(message->ca_pem, NULL, &reason);
    if (!reason && message->system_roots)
        settings->trust = add_system_roots(settings->trust, &reason);
    if (!reason)
        return 0;
    snprintf(ret_reason, size, "ca_pem: %s", reason);
    return -1;
}

int settings_take(const struct ipc_settings *message, struct settings *ret_settings, char *ret_reason,
                  size_t size)
{
    struct settings settings = { .number = 0 };
    take_numbers(message, &settings);
    if (take_user_agent(message->user_agent, &settings) < 0) {
        snprintf(ret_reason, size, "user_agent: too long, or with a control character");
        return -1;
    }
    if (take_tls_min(message->tls_min, &settings) < 0
        || !take_text(message->doh_url, settings.doh_url, sizeof settings.doh_url)) {
        snprintf(ret_reason, size, "tls_min or doh_url: not what it should be");
        return -1;
    }
    settings.egress = destination_policy_create(message->egress_allow, message->egress_deny, ret_reason,
                                                size);
    if (!settings.egress || take_trust(message, &settings, ret_reason, size) < 0) {
        settings_finish(&settings);
        return -1;
    }
    *ret_settings = settings;
    return 0;
}

void settings_finish(struct settings *settings)
{
    destination_policy_destroy(settings->egress);
    tls_trust_destroy(settings->trust);
    settings->egress = NULL;
    settings->trust = NULL;
}
