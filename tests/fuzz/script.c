/* Records, one after the other; the last one may be short. */
#include "script.h"

#include "ipc/frame.h"
#include "ipc/message.h"
#include "ipc/pack.h"

#define BODY_BYTES 4096

bool script_next(struct script *script, struct script_record *ret_record)
{
    if (script->left < 4)
        return false;
    size_t length = (size_t)(script->at[2] & 0x0f) << 8 | script->at[3], most = script->left - 4;
    *ret_record = (struct script_record){ script->at[0], script->at[1], script->at + 4, length < most ? length : most };
    script->at += 4 + ret_record->length;
    script->left -= 4 + ret_record->length;
    return true;
}

uint32_t script_id(const struct end *end, unsigned choice)
{
    switch (choice & 0xe0) {
    case 0x00: return choice;
    case 0x20: return end->newest_id;
    case 0x40: return end->newest_id + 1;
    case 0x60: return UINT32_MAX;
    default: return choice & 0x1f;
    }
}

void script_send(struct end *end, const struct script_record *record)
{
    size_t count;
    const struct ipc_table *const *tables = ipc_tables(&count);
    const struct ipc_table *table = tables[record->operation % count];
    uint32_t id = script_id(end, record->choice);
    struct ipc_buffer packed;
    ipc_buffer_init(&packed, 2 * BODY_BYTES);
    if (record->length > 0 && ipc_pack_body(&packed, table->number, id, record->bytes, record->length) == 0) {
        if (end->speaker != IPC_WORKER && table->number == IPC_FETCH && id > end->newest_id)
            end->newest_id = id;
        end_send(end, ipc_buffer_data(&packed), ipc_buffer_length(&packed));
    }
    ipc_buffer_finish(&packed);
}
