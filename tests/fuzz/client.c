/* A client that says anything to a daemon whose workers behave: nothing is left of it, no worker is told
 * what is not a message, nothing of it comes into the log. */
#include "script.h"
#include "stage.h"

#include <signal.h>
#include <string.h>

enum { RAW = SCRIPT_FIRST_OWN, SETTLE, GREET, ANSWER, REDIRECT, FAIL, WORKER_DIES, WORKER_CREDITS, HANG_UP, OPERATIONS };

static struct end *client;

static void greet(void)
{
    struct ipc_hello hello;
    IPC_INIT(HELLO, &hello);
    hello.version_min = hello.version_max = 1;
    end_say(client, IPC_HELLO, 0, &hello);
}

static void make_ready(void)
{
    struct ipc_ready ready = { .pid = 1 };
    for (unsigned i = 0; i < stage.worker_count; i++) {
        if (stage.workers[i].ready)
            continue;
        stage.workers[i].ready = true;
        end_say(&stage.workers[i], IPC_READY, 0, &ready);
    }
}

static void answer(struct end *worker)
{
    struct ipc_response response = { .status = 200 };
    struct ipc_done done;
    IPC_INIT(DONE, &done);
    end_say(worker, IPC_RESPONSE, worker->newest_id, &response);
    end_say(worker, IPC_DONE, worker->newest_id, &done);
}

static void redirect(struct end *worker)
{
    struct ipc_hop hop = { .status = 302, .url = IPC_TEXT("https://elsewhere.test/") };
    end_say(worker, IPC_HOP, worker->newest_id, &hop);
}

static void fail(struct end *worker)
{
    struct ipc_failure failure = { .name = IPC_TEXT("receive.failed"), .retryable = true };
    struct ipc_done done;
    IPC_INIT(DONE, &done);
    done.error = &failure;
    end_say(worker, IPC_DONE, worker->newest_id, &done);
}

static void give_credit(struct end *worker)
{
    struct ipc_credit credit = { .bytes = 65536 };
    end_say(worker, IPC_CREDIT, worker->newest_id, &credit);
}

static void act(const struct script_record *record)
{
    struct end *worker = stage_worker(record->choice);
    switch (SCRIPT_FIRST_OWN + record->operation % (OPERATIONS - SCRIPT_FIRST_OWN)) {
    case RAW: end_send(client, record->bytes, record->length); break;
    case SETTLE: stage_settle(); make_ready(); stage_settle(); break;
    case GREET: greet(); break;
    case ANSWER: if (worker) answer(worker); break;
    case REDIRECT: if (worker) redirect(worker); break;
    case FAIL: if (worker) fail(worker); break;
    case WORKER_DIES: if (worker) worker->killed_by = record->length % 2 ? SIGSEGV : SIGKILL; break;
    case WORKER_CREDITS: if (worker) give_credit(worker); break;
    case HANG_UP:
        end_hang_up(client);
        client = stage_connect();
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = { data, size };
    struct script_record record;
    stage_open(1);
    make_ready();
    client = stage_connect();
    greet();
    stage_settle();
    while (client && script_next(&script, &record)) {
        if (record.operation < SCRIPT_FIRST_OWN)
            script_send(client, &record);
        else
            act(&record);
    }
    stage_close();
    return 0;
}
