/* A number in decimal, where snprintf costs more than all around it. */
#ifndef IPC_DIGITS_H
#define IPC_DIGITS_H

/* Writes 1 to 10 bytes, no NUL. Returns the place behind them. */
static inline char *ipc_digits(char *place, unsigned value)
{
    char reversed[10];
    unsigned count = 0;
    do {
        reversed[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (count > 0)
        *place++ = reversed[--count];
    return place;
}

#endif
