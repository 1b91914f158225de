/* And what mingw-w64 calls otherwise. */
#ifndef PORTABLE_FCNTL_H
#define PORTABLE_FCNTL_H

#include_next <fcntl.h>

#define O_CLOEXEC _O_NOINHERIT

#endif
