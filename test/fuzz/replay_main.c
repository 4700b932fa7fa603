/* replay_main.c - runs a fuzz target over its corpus, without libFuzzer.
 * For:    making every stored input a unit test with any compiler (TAP, one test per file).
 * Never:  invents inputs; an input that crashes ends the program, which the runner reports.
 * Owner:  the process. Arguments, if any, are files to run instead of the corpus folder.      */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void die(const char *what, const char *path)
{
    printf("Bail out! %s %s: %s\n", what, path, strerror(errno));
    exit(1);
}

/* Gives the file's bytes (malloc) and sets *len. */
static uint8_t *read_all(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) die("cannot open", path);
    if (fseek(f, 0, SEEK_END) != 0) die("cannot seek", path);
    long end = ftell(f);
    if (end < 0 || fseek(f, 0, SEEK_SET) != 0) die("cannot measure", path);
    *len = (size_t)end;
    /* Exactly as long as the input, so that a read past its end is seen by ASan. */
    uint8_t *data = malloc(*len > 0 ? *len : 1);
    if (data == NULL) die("no memory for", path);
    if (fread(data, 1, *len, f) != *len) die("cannot read", path);
    fclose(f);
    return data;
}

static void replay(int number, const char *path)
{
    size_t len;
    uint8_t *data = read_all(path, &len);
    /* The name comes first: if this input crashes, the last line tells which it was. */
    printf("# %s (%zu bytes)\n", path, len);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, len);
    free(data);
    const char *slash = strrchr(path, '/');
    printf("ok %d - %s\n", number, slash != NULL ? slash + 1 : path);
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay_folder(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_input, alphasort);
    if (count < 0) die("cannot list", folder);
    for (int i = 0; i < count; i++) {
        char path[4096];
        int used = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (used < 0 || (size_t)used >= sizeof path) die("too long a path below", folder);
        replay(i + 1, path);
        free(entries[i]);
    }
    free(entries);
    return count;
}

int main(int argc, char **argv)
{
    int count = argc - 1;
    for (int i = 1; i < argc; i++)
        replay(i, argv[i]);
    if (argc == 1) count = replay_folder(REPLAY_CORPUS);
    printf("1..%d\n", count);
    return count > 0 ? 0 : 1;
}
