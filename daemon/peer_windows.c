/* Who speaks over a pipe: the token of the client, which Windows shows once something was read from it
 * (ImpersonateNamedPipeClient), at the level that the client allows: to be identified is enough. */
#include "peer.h"

#include "conf/sid.h"

#include <io.h>
#include <stdlib.h>
#include <uv.h>
#include <windows.h>

/* The token of whom we stand for now; never ours. */
static int open_client_token(HANDLE pipe, HANDLE *ret_token)
{
    if (!ImpersonateNamedPipeClient(pipe))
        return GetLastError() == ERROR_CANNOT_IMPERSONATE ? UV_EAGAIN : uv_translate_sys_error((int)GetLastError());
    BOOL opened = OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, ret_token);
    DWORD error = GetLastError();
    if (!RevertToSelf())
        abort();   /* to go on as somebody else would be worse */
    if (!opened && error == ERROR_CANT_OPEN_ANONYMOUS)
        return UV_EACCES;
    return opened ? 0 : uv_translate_sys_error((int)error);
}

static void *read_information(HANDLE token, TOKEN_INFORMATION_CLASS class)
{
    DWORD size = 0;
    GetTokenInformation(token, class, NULL, 0, &size);
    void *information = size > 0 ? malloc(size) : NULL;
    if (information && !GetTokenInformation(token, class, information, size, &size)) {
        free(information);
        return NULL;
    }
    return information;
}

static int read_user(HANDLE token, struct peer *peer)
{
    TOKEN_USER *user = read_information(token, TokenUser);
    if (!user)
        return UV_ENOMEM;
    bool nobody = IsWellKnownSid(user->User.Sid, WinAnonymousSid);
    bool known = !nobody && conf_sid_number(user->User.Sid, &peer->user);
    peer->root = IsWellKnownSid(user->User.Sid, WinLocalSystemSid);
    free(user);
    return known ? 0 : UV_EACCES;
}

/* One that only denies gives no rights. */
static bool holds(DWORD attributes)
{
    return (attributes & SE_GROUP_ENABLED) && !(attributes & SE_GROUP_USE_FOR_DENY_ONLY);
}

static int keep_groups(const TOKEN_GROUPS *groups, struct peer *peer)
{
    peer->groups = calloc(groups->GroupCount + 1, sizeof *peer->groups);
    if (!peer->groups)
        return UV_ENOMEM;
    for (DWORD i = 0; i < groups->GroupCount; i++) {
        const SID_AND_ATTRIBUTES *group = &groups->Groups[i];
        if (!holds(group->Attributes))
            continue;
        if (IsWellKnownSid(group->Sid, WinBuiltinAdministratorsSid))
            peer->root = true;
        if (conf_sid_number(group->Sid, &peer->groups[peer->group_count]))
            peer->group_count++;
    }
    return 0;
}

static int read_groups(HANDLE token, struct peer *peer)
{
    TOKEN_GROUPS *groups = read_information(token, TokenGroups);
    int status = groups ? keep_groups(groups, peer) : UV_ENOMEM;
    free(groups);
    return status;
}

int peer_read(int fd, struct peer *ret_peer)
{
    HANDLE pipe = (HANDLE)_get_osfhandle(fd), token;
    struct peer peer = { .groups = NULL };
    ULONG pid = 0;
    GetNamedPipeClientProcessId(pipe, &pid);
    peer.pid = pid;
    int status = open_client_token(pipe, &token);
    if (status == 0) {
        status = read_user(token, &peer);
        if (status == 0)
            status = read_groups(token, &peer);
        CloseHandle(token);
    }
    if (status < 0 && status != UV_EAGAIN) {
        peer_finish(&peer);
        return status;
    }
    *ret_peer = peer;
    return status;
}

void peer_finish(struct peer *peer)
{
    free(peer->groups);
    peer->groups = NULL;
    peer->group_count = 0;
}
