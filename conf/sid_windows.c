/* A sorted table of SIDs by FNV-1a (64 bits). */
#include "sid.h"

#include "wide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
/* After windows.h. */
#include <sddl.h>

#define SIDS_MOST 65536
#define NAME_CHARACTERS 160

struct entry {
    uint64_t number;
    uint8_t sid[SECURITY_MAX_SID_SIZE];
    char *name;          /* NULL: not asked yet */
};

static struct entry *entries;
static size_t entry_count;

static uint64_t hash(const uint8_t *bytes, size_t length)
{
    uint64_t value = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        value = (value ^ bytes[i]) * 0x100000001b3u;
    return value;
}

/* Where it stands, or would. */
static size_t place_of(uint64_t number)
{
    size_t low = 0, high = entry_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entries[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct entry *find(uint64_t number)
{
    size_t place = place_of(number);
    return place < entry_count && entries[place].number == number ? &entries[place] : NULL;
}

static bool insert(uint64_t number, const void *sid, size_t length)
{
    size_t place = place_of(number);
    struct entry *grown = entry_count < SIDS_MOST ? realloc(entries, (entry_count + 1) * sizeof *grown) : NULL;
    if (!grown)
        return false;
    entries = grown;
    memmove(entries + place + 1, entries + place, (entry_count - place) * sizeof *entries);
    entries[place] = (struct entry){ .number = number };
    memcpy(entries[place].sid, sid, length);
    entry_count++;
    return true;
}

bool conf_sid_number(const void *sid, uint64_t *ret_number)
{
    size_t length = IsValidSid((PSID)(uintptr_t)sid) ? GetLengthSid((PSID)(uintptr_t)sid) : 0;
    if (length == 0 || length > SECURITY_MAX_SID_SIZE)
        return false;
    uint64_t number = hash(sid, length);
    const struct entry *entry = find(number);
    *ret_number = number;
    return entry ? EqualSid((PSID)(uintptr_t)entry->sid, (PSID)(uintptr_t)sid) : insert(number, sid, length);
}

const void *conf_sid_of(uint64_t number)
{
    const struct entry *entry = find(number);
    return entry ? entry->sid : NULL;
}

void conf_sid_text(uint64_t number, char ret_text[CONF_SID_TEXT_BYTES])
{
    const struct entry *entry = find(number);
    LPSTR text;
    ret_text[0] = '\0';
    if (!entry || !ConvertSidToStringSidA((PSID)(uintptr_t)entry->sid, &text))
        return;
    snprintf(ret_text, CONF_SID_TEXT_BYTES, "%s", text);
    LocalFree(text);
}

static void look_up(struct entry *entry, char ret_name[CONF_SID_NAME_BYTES])
{
    wchar_t name[NAME_CHARACTERS], domain[NAME_CHARACTERS], whole[2 * NAME_CHARACTERS];
    DWORD name_size = NAME_CHARACTERS, domain_size = NAME_CHARACTERS;
    SID_NAME_USE use;
    ret_name[0] = '\0';
    if (!LookupAccountSidW(NULL, entry->sid, name, &name_size, domain, &domain_size, &use))
        return;
    _snwprintf(whole, 2 * NAME_CHARACTERS, L"%ls%ls%ls", domain, *domain ? L"\\" : L"", name);
    whole[2 * NAME_CHARACTERS - 1] = L'\0';
    conf_narrow(whole, ret_name, CONF_SID_NAME_BYTES);
}

void conf_sid_name(uint64_t number, char ret_name[CONF_SID_NAME_BYTES])
{
    struct entry *entry = find(number);
    ret_name[0] = '\0';
    if (!entry)
        return;
    if (entry->name) {
        snprintf(ret_name, CONF_SID_NAME_BYTES, "%s", entry->name);
        return;
    }
    look_up(entry, ret_name);
    entry->name = strdup(ret_name);
}
