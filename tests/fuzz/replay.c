/* Runs a fuzz target over its corpus, without libFuzzer, in every normal test run: one TAP point a
 * folder. usage: replay_TARGET FOLDER... */
#include "target.h"

#include <dirent.h>
#include <string.h>

#define LARGEST (4 * 1024 * 1024)

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(LARGEST);
    if (!file || !bytes) {
        printf("# can't read %s\n", path);
        return -1;
    }
    size_t size = fread(bytes, 1, LARGEST, file);
    fclose(file);
    uint8_t *exact = malloc(size ? size : 1);   /* so that a read past its end is seen */
    if (!exact)
        return -1;
    memcpy(exact, bytes, size);
    free(bytes);
    fprintf(stderr, "%s\n", path);              /* the last one named is the one that crashed */
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

/* How many inputs it holds, or -1. */
static int replay_folder(const char *folder)
{
    DIR *list = opendir(folder);
    int count = 0;
    for (struct dirent *entry; list && (entry = readdir(list));) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        int length = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (length < 0 || (size_t)length >= sizeof path || replay(path) < 0) {
            count = -1;
            break;
        }
        count++;
    }
    if (list)
        closedir(list);
    return list ? count : -1;
}

int main(int argc, char **argv)
{
    int bad = 0;
    printf("1..%d\n", argc - 1);
    for (int i = 1; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/');
        int count = replay_folder(argv[i]);
        printf("%sok %d - corpus %s: %d inputs do no harm\n", count > 0 ? "" : "not ", i,
               slash ? slash + 1 : argv[i], count);
        bad += count <= 0;
    }
    return bad ? 1 : 0;
}
