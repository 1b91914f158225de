/* A worker that says anything, with any id, while a client has requests of each kind open: the daemon ends
 * it or goes on, each request gets one DONE and no more, and what the requests hold stays out of the log. */
#include "script.h"
#include "stage.h"

#include "ipc/pack.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { RAW = SCRIPT_FIRST_OWN, SETTLE, READY, FETCH, UPLOAD, CANCEL, DIE, WRITE_LOG, CREDIT, OPERATIONS };

static struct end *client;

static void fetch(const char *url, const char *method, bool streamed)
{
    struct ipc_pair secret = { { (const uint8_t *)"Authorization", 13 }, { (const uint8_t *)STAGE_SECRET "1", 11 } };
    struct ipc_fetch fetch;
    IPC_INIT(FETCH, &fetch);
    fetch.url = ipc_text(url);
    fetch.method = ipc_text(method);
    fetch.headers = (struct ipc_pairs){ &secret, 1 };
    fetch.credentials = (struct ipc_bytes){ (const uint8_t *)"me:" STAGE_SECRET "2", 14 };
    fetch.follow = true;
    fetch.body_streamed = streamed;
    fetch.rewindable = fetch.reconnect = true;
    if (client->newest_id + 1 < STAGE_IDS)
        end_say(client, IPC_FETCH, ++client->newest_id, &fetch);
}

static void fetch_some(void)
{
    fetch("https://origin.test/?" STAGE_SECRET "3", "GET", false);
    fetch("https://origin.test/up?" STAGE_SECRET "4", "POST", true);
    fetch("wss://origin.test/?" STAGE_SECRET "5", "GET", false);
    fetch("http://user:" STAGE_SECRET "6@other.test/", "DELETE", false);
}

static void upload(uint32_t id)
{
    struct ipc_buffer packed;
    ipc_buffer_init(&packed, 1 << 20);
    if (ipc_pack_data(&packed, id, STAGE_SECRET "7", 11) == 0)
        end_send(client, ipc_buffer_data(&packed), ipc_buffer_length(&packed));
    ipc_buffer_finish(&packed);
}

static void act(struct end *worker, const struct script_record *record)
{
    struct ipc_ready ready = { .pid = 1 };
    struct ipc_credit credit = { .bytes = 4096 };
    switch (SCRIPT_FIRST_OWN + record->operation % (OPERATIONS - SCRIPT_FIRST_OWN)) {
    case RAW: end_send(worker, record->bytes, record->length); break;
    case SETTLE: stage_settle(); break;
    case READY: end_say(worker, IPC_READY, 0, &ready); break;
    case FETCH: fetch_some(); break;
    case UPLOAD: upload(script_id(client, record->choice)); break;
    case CANCEL: end_say(client, IPC_CANCEL, script_id(client, record->choice), NULL); break;
    case DIE: worker->killed_by = record->length % 2 ? SIGSEGV : SIGKILL; break;
    case WRITE_LOG:
        if (write(worker->sockets[1], record->bytes, record->length) < 0)
            return;   /* full: the daemon has not read it yet */
        break;
    case CREDIT: end_say(client, IPC_CREDIT, script_id(client, record->choice), &credit); break;
    }
}

/* What was asked is answered once all have left it. */
static void shut_down(void)
{
    for (int i = 0; i < 2 && !stage_is_down(); i++) {
        daemon_drain(stage.daemon);
        stage_settle();
    }
    bool listens = client->fd >= 0;
    for (unsigned id = 1; id < STAGE_IDS && listens; id++)
        HOLDS(client->dones[id] == client->fetches[id]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ipc_hello hello;
    struct ipc_ready ready = { .pid = 1 };
    struct script script = { data, size };
    struct script_record record;
    struct end *worker;
    stage_open(2);
    stage.secretive = true;
    IPC_INIT(HELLO, &hello);
    hello.version_min = hello.version_max = 1;
    client = stage_connect();
    end_say(client, IPC_HELLO, 0, &hello);
    /* One that is ready; the other is as the script has it. */
    end_say(&stage.workers[0], IPC_READY, 0, &ready);
    stage_settle();
    fetch_some();
    stage_settle();
    while (script_next(&script, &record) && (worker = stage_worker(record.choice >> 5))) {
        if (record.operation < SCRIPT_FIRST_OWN)
            script_send(worker, &record);
        else
            act(worker, &record);
    }
    shut_down();
    stage_close();
    return 0;
}
