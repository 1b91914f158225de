// <fetchd/client.h> from C++: it compiles without a warning and links.
#include <fetchd/client.h>

#include <cstdio>

int main()
{
    struct fetchd_options options;
    fetchd_options_init(&options, sizeof options);
    options.url = "https://origin.test/";
    bool refused = fetchd_start(nullptr, &options, nullptr) == nullptr;
    bool told = fetchd_last_error(nullptr)->exit_code == 27;
    bool named = fetchd_error_exit_code("dns.failed") == 6;
    std::printf("1..1\n%sok 1 - the header compiles as C++ and its functions link\n",
                refused && told && named && options.size == sizeof options ? "" : "not ");
    return 0;
}
