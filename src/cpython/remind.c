/* remind: a timer that repeats a signal until its Python handler runs (remind.h). */
#include <Python.h>

#include "../types/engine.h"

#include "remind.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum { PAUSE_NS = 100 * 1000 * 1000, MOST_REMINDERS = 50 };

/* Written by the main thread, and by the handler, which interrupts it or another thread. */
static timer_t timer;
static volatile sig_atomic_t has_timer, armed, reminders;
static pid_t owner; /* the process that timer belongs to */

static void set_timer(long nanoseconds) {
    const struct itimerspec every = {{0, nanoseconds}, {0, nanoseconds}};
    timer_settime(timer, 0, &every, NULL);
}

static void end_by(int signum) {
    signal(signum, SIG_DFL);
    kill(getpid(), signum); /* arrives when this handler returns */
}

static bool is_too_late(const siginfo_t *info) {
    if (owner != getpid()) /* a child that has not come to remind_start yet: it has no timer */
        return true;
    return armed && info->si_code == SI_TIMER && ++reminders >= MOST_REMINDERS;
}

static void on_signal(int signum, siginfo_t *info, void *context) {
    int saved = errno;
    (void)context;
    if (is_too_late(info)) {
        end_by(signum);
    } else {
        if (!armed) {
            armed = 1;
            reminders = 0;
            set_timer(PAUSE_NS);
        }
        PyErr_SetInterruptEx(signum);
    }
    errno = saved;
}

static int make_timer(int signum) {
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signum};
    event.sigev_notify_thread_id = gettid();
    if (has_timer && owner == getpid())
        timer_delete(timer);
    has_timer = timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
    owner = getpid();
    armed = 0;
    return has_timer ? 0 : -1;
}

int remind_start(int signum) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    return make_timer(signum) < 0 ? -1 : sigaction(signum, &action, NULL);
}

void remind_stop(void) {
    if (has_timer && owner == getpid())
        set_timer(0);
    armed = 0;
}

int engine_remind(int signum) {
    if (remind_start(signum) == 0)
        return 0;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

void engine_relent(void) { remind_stop(); }
