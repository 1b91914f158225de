/* What a process needs before anything else, system by system. */
#ifndef FETCHCTL_START_H
#define FETCHCTL_START_H

void start_process(void);

/* Where the daemon is looked for when no variable says it, for people. */
extern const char start_addresses[];

#endif
