#include "say.h"

#include "wide.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    DWORD error;
    const char *cure;
} cures[] = {
    { ERROR_ACCESS_DENIED, "run it as Administrator" },
    { ERROR_SERVICE_DOES_NOT_EXIST, "run \"fetchd service install\" as Administrator first" },
    { ERROR_SERVICE_LOGON_FAILED, "its account may not log on as a service; "
                                  "\"fetchd service install --account LocalService\" takes another" },
    { ERROR_SERVICE_MARKED_FOR_DELETE,
      "close the Services window and whatever else shows it, then try again" },
    { ERROR_SERVICE_DISABLED, "\"sc config fetchd start= delayed-auto\" enables it" },
    { ERROR_FAILED_SERVICE_CONTROLLER_CONNECT,
      "only the service manager runs this; \"fetchd\" alone runs in a console" },
};

void say_error_text(DWORD error, char *ret_text, size_t size)
{
    wchar_t words[512];
    DWORD length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, error, 0,
                                  words, sizeof words / sizeof *words, NULL);
    while (length > 0 && (words[length - 1] <= L' ' || words[length - 1] == L'.'))
        length--;
    words[length] = L'\0';
    if (length == 0 || !wide_to(words, ret_text, size))
        snprintf(ret_text, size, "Windows error");
}

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

int say_failure(DWORD error, const char *format, ...)
{
    char words[1024];
    va_list arguments;
    va_start(arguments, format);
    fputs("fetchd: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    say_error_text(error, words, sizeof words);
    fprintf(stderr, ": %s (%lu)\n", words, error);
    for (size_t i = 0; i < sizeof cures / sizeof *cures; i++)
        if (cures[i].error == error)
            fprintf(stderr, "fetchd: %s\n", cures[i].cure);
    return EXIT_FAILURE;
}
