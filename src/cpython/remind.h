/* remind: makes sure that a signal's Python handler runs, or that the signal ends the process as it would have.
 *
 * CPython's own C handler only notes a signal; the Python handler runs when the main thread comes back to bytecode.
 * Where the signal comes just before the thread waits for a lock, that is never. So a timer sends the signal again,
 * each time interrupting the wait, until the Python handler says that it runs:
 *
 *   SIGTERM --> note, arm the timer --> 0.1 s: SIGTERM --> note ... 5 s: the default action --> the process ends
 *                                        Python handler runs: remind_stop
 *
 * One signal a process. The timer is the process's (a forked child starts its own with remind_start). Call with the
 * GIL, from the main thread; what runs in the signal handler is async-signal-safe. */
#ifndef MEMTALLY_REMIND_H
#define MEMTALLY_REMIND_H

/* On top of the Python handler that signum has already. 0; -1: errno says why, and all is as it was. Whoever sets
 * another handler for the signal ends this. */
int remind_start(int signum);

/* The Python handler runs: send nothing more. */
void remind_stop(void);

#endif
