/* Questions about the daemon itself: is it there, how is it. */
#include "core.h"

#include <time.h>

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Waits until the open question is answered. 0, FETCHD_TIMED_OUT, or FETCHD_FAILED with the
 * client's failure set. The question is closed then. */
static int wait_for_answer(struct fetchd_client *client, int64_t deadline_ms)
{
    struct question *question = &client->question;
    event_keep_all(client);
    while (!question->answered && wait_once(client, deadline_ms) >= 0)
        event_keep_all(client);
    event_keep_all(client);
    question->id = 0;
    question->token = 0;
    if (!question->answered) {
        failure_set(&client->failure, IPC_ERROR_TIMEOUT_TOTAL, "the daemon at %s does not answer",
                    client->reached);
        return FETCHD_TIMED_OUT;
    }
    if (!question->failure.error.name)
        return 0;
    failure_copy(&client->failure, &question->failure.error);
    return FETCHD_FAILED;
}

static int begin_question(struct fetchd_client *client)
{
    if (!client || client_ensure_connected(client) < 0)
        return -1;
    client->question.answered = false;
    client->question.failure.error.name = NULL;
    return 0;
}

int64_t fetchd_ping(struct fetchd_client *client, int timeout_ms)
{
    int64_t start_us = now_us(), deadline_ms = wait_deadline(timeout_ms);
    struct ipc_ping ping;
    if (begin_question(client) < 0)
        return FETCHD_FAILED;
    IPC_INIT(PING, &ping);
    ping.token = client->question.token = ++client->last_token;
    client_say(client, IPC_PING, 0, &ping);
    int result = wait_for_answer(client, deadline_ms);
    return result < 0 ? result : now_us() - start_us;
}

int fetchd_connect(struct fetchd_client *client, int timeout_ms)
{
    return fetchd_ping(client, timeout_ms) < 0 ? -1 : 0;
}

int control_ask(struct fetchd_client *client, unsigned number, const void *message, int64_t deadline_ms)
{
    if (begin_question(client) < 0)
        return FETCHD_FAILED;
    text_reset(&client->question.answer);
    client->question.id = ++client->last_id;
    client_say(client, number, client->question.id, message);
    return wait_for_answer(client, deadline_ms);
}

static int ask(struct fetchd_client *client, unsigned number, bool as_json, int timeout_ms)
{
    if (client)
        client->question.as_json = as_json;
    return control_ask(client, number, NULL, wait_deadline(timeout_ms));
}

static char *ask_for_text(struct fetchd_client *client, unsigned number, bool as_json, int timeout_ms)
{
    if (ask(client, number, as_json, timeout_ms) < 0)
        return NULL;
    char *answer = text_take(&client->question.answer);
    if (!answer)
        failure_set(&client->failure, IPC_ERROR_OUT_OF_MEMORY, "%s", "");
    return answer;
}

char *fetchd_status_json(struct fetchd_client *client, int timeout_ms)
{
    return ask_for_text(client, IPC_STATUS, true, timeout_ms);
}

char *fetchd_status_text(struct fetchd_client *client, int timeout_ms)
{
    return ask_for_text(client, IPC_STATUS, false, timeout_ms);
}

char *fetchd_metrics(struct fetchd_client *client, int timeout_ms)
{
    return ask_for_text(client, IPC_METRICS, false, timeout_ms);
}

int fetchd_reload(struct fetchd_client *client, int timeout_ms)
{
    return ask(client, IPC_RELOAD, false, timeout_ms);
}

int fetchd_drain(struct fetchd_client *client, int timeout_ms)
{
    return ask(client, IPC_DRAIN, false, timeout_ms);
}
