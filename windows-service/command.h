/* fetchd.exe service install|uninstall|start|stop|reload|status, for a person or a script. */
#ifndef WINDOWS_SERVICE_COMMAND_H
#define WINDOWS_SERVICE_COMMAND_H

#define SERVICE_NAME L"fetchd"

/* What stands behind `service`. NULL for what was not given. */
struct command {
    const char *verb;
    const char *config;  /* --config FILE: of the installed service */
    const char *account; /* --account NAME: one without a password */
};

/* Takes the arguments from the verb on. Returns the exit code: 0, 1 failed, 2 used wrongly; `status` also 3,
 * does not run, and 4, is not installed. */
int command_run(int argc, char **argv);

int command_install(const struct command *command);
int command_uninstall(const struct command *command);
int command_start(const struct command *command);
int command_stop(const struct command *command);
int command_reload(const struct command *command);
int command_status(const struct command *command);

#endif
