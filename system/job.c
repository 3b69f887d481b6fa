/*
 * Background jobs.  See system/job.h; the states, verbs and messages are QEMU's.
 */
#include "system/job.h"

#include "qapi/qapi-commands.h"
#include "qapi/qapi-events.h"
#include "util/identifier.h"
#include "util/main-loop.h"

static Job *jobs;                       /* oldest first; BQL */

/* --- states --- */

typedef enum Verb { VERB_CANCEL, VERB_PAUSE, VERB_RESUME, VERB_COMPLETE, VERB_FINALIZE, VERB_DISMISS } Verb;

#define IN(state) (1u << QAPI_JOB_STATUS_##state)
#define IN_WORK   (IN(CREATED) | IN(RUNNING) | IN(PAUSED) | IN(READY) | IN(STANDBY))

static const struct {
    const char *name;
    unsigned states;                    /* in which it is accepted */
} verbs[] = {
    [VERB_CANCEL]   = { "cancel",   IN_WORK | IN(WAITING) | IN(PENDING) },
    [VERB_PAUSE]    = { "pause",    IN_WORK },
    [VERB_RESUME]   = { "resume",   IN_WORK },
    [VERB_COMPLETE] = { "complete", IN(READY) },
    [VERB_FINALIZE] = { "finalize", IN(PENDING) },
    [VERB_DISMISS]  = { "dismiss",  IN(CONCLUDED) },
};

static const unsigned next_states[] = {
    [QAPI_JOB_STATUS_UNDEFINED] = IN(CREATED),
    [QAPI_JOB_STATUS_CREATED]   = IN(RUNNING) | IN(ABORTING),
    [QAPI_JOB_STATUS_RUNNING]   = IN(PAUSED) | IN(READY) | IN(WAITING) | IN(ABORTING),
    [QAPI_JOB_STATUS_PAUSED]    = IN(RUNNING) | IN(ABORTING),
    [QAPI_JOB_STATUS_READY]     = IN(STANDBY) | IN(WAITING) | IN(ABORTING),
    [QAPI_JOB_STATUS_STANDBY]   = IN(READY) | IN(ABORTING),
    [QAPI_JOB_STATUS_WAITING]   = IN(PENDING) | IN(ABORTING),
    [QAPI_JOB_STATUS_PENDING]   = IN(CONCLUDED) | IN(ABORTING),
    [QAPI_JOB_STATUS_ABORTING]  = IN(CONCLUDED),
    [QAPI_JOB_STATUS_CONCLUDED] = IN(NULL),
    [QAPI_JOB_STATUS_NULL]      = 0,
};

static void transition(Job *job, QapiJobStatus to)
{
    assert(next_states[job->status] >> to & 1);
    job->status = to;
    qapi_event_send_job_status_change(job->id, to);
}

static bool may(const Job *job, Verb verb, Error **errp)
{
    if (verbs[verb].states >> job->status & 1) {
        return true;
    }
    error_setg(errp, "Job '%s' in state '%s' cannot accept command verb '%s'", job->id, qapi_job_status_str(job->status),
               verbs[verb].name);
    return false;
}

/* --- life --- */

Job *job_find(const char *id)
{
    for (Job *job = jobs; job; job = job->next) {
        if (!strcmp(job->id, id)) {
            return job;
        }
    }
    return NULL;
}

Job *job_new(const JobDriver *driver, const char *id, unsigned flags, Error **errp)
{
    Job *job, **link = &jobs;

    if (!identifier_is_wellformed(id)) {
        error_setg(errp, "Invalid job ID '%s'", id);
        return NULL;
    }
    if (job_find(id)) {
        error_setg(errp, "Job ID '%s' already in use", id);
        return NULL;
    }
    job = g_malloc0(driver->instance_size);
    job->driver = driver;
    job->id = g_strdup(id);
    job->flags = flags;
    while (*link) {
        link = &(*link)->next;
    }
    *link = job;
    transition(job, QAPI_JOB_STATUS_CREATED);
    return job;
}

static void dismiss(Job *job)
{
    Job **link = &jobs;

    transition(job, QAPI_JOB_STATUS_NULL);
    while (*link != job) {
        link = &(*link)->next;
    }
    *link = job->next;
    if (job->driver->free) {
        job->driver->free(job);
    }
    error_free(job->err);
    g_free(job->id);
    g_free(job);
}

static void conclude(Job *job)
{
    transition(job, QAPI_JOB_STATUS_CONCLUDED);
    if (!(job->flags & JOB_MANUAL_DISMISS)) {
        dismiss(job);
    }
}

/* @err: consumed; NULL: it was cancelled. */
static void fail(Job *job, Error *err)
{
    if (!err) {
        error_setg(&err, "%s", strerror(ECANCELED));
    }
    job->err = err;
    transition(job, QAPI_JOB_STATUS_ABORTING);
    if (job->driver->abort) {
        job->driver->abort(job);
    }
    conclude(job);
}

static void finalize(Job *job)
{
    Error *err = NULL;

    if (job->driver->prepare && !job->driver->prepare(job, &err)) {
        fail(job, err);
        return;
    }
    if (job->driver->commit) {
        job->driver->commit(job);
    }
    conclude(job);
}

void job_finish(Job *job, Error *err)
{
    job->deferred = true;
    if (err || job_is_cancelled(job)) {
        fail(job, err);
        return;
    }
    if (job->status == QAPI_JOB_STATUS_PAUSED || job->status == QAPI_JOB_STATUS_STANDBY) {
        transition(job, job->status == QAPI_JOB_STATUS_PAUSED ? QAPI_JOB_STATUS_RUNNING : QAPI_JOB_STATUS_READY);
    }
    transition(job, QAPI_JOB_STATUS_WAITING);
    transition(job, QAPI_JOB_STATUS_PENDING);
    if (!(job->flags & JOB_MANUAL_FINALIZE)) {
        finalize(job);
    }
}

void job_start(Job *job)
{
    transition(job, QAPI_JOB_STATUS_RUNNING);
    job->driver->start(job);
}

void job_ready(Job *job)
{
    transition(job, QAPI_JOB_STATUS_READY);
}

void job_progress(Job *job, uint64_t done, uint64_t total)
{
    job->progress = done;
    job->total = total;
}

/* --- pausing and cancelling --- */

bool job_pause_point(Job *job)
{
    if (!job->user_paused || job_is_cancelled(job)) {
        return true;
    }
    job->at_pause_point = true;
    transition(job, job->status == QAPI_JOB_STATUS_READY ? QAPI_JOB_STATUS_STANDBY : QAPI_JOB_STATUS_PAUSED);
    return false;
}

static void go_on(Job *job)
{
    job->at_pause_point = false;
    transition(job, job->status == QAPI_JOB_STATUS_STANDBY ? QAPI_JOB_STATUS_READY : QAPI_JOB_STATUS_RUNNING);
    job->driver->go_on(job);
}

bool job_is_cancelled(const Job *job)
{
    return __atomic_load_n(&job->cancelled, __ATOMIC_ACQUIRE);
}

/* @job may be gone after this. */
static void cancel(Job *job)
{
    bool was = job_is_cancelled(job);

    __atomic_store_n(&job->cancelled, true, __ATOMIC_RELEASE);
    if (job->deferred || job->status == QAPI_JOB_STATUS_CREATED) {
        fail(job, NULL);
    } else if (job->at_pause_point) {
        go_on(job);
    } else if (!was && job->driver->cancel) {
        job->driver->cancel(job);
    }
}

static bool is_over(const Job *job)
{
    return job->status == QAPI_JOB_STATUS_CONCLUDED;
}

static Job *first_unfinished(void)
{
    Job *job = jobs;

    while (job && is_over(job)) {
        job = job->next;
    }
    return job;
}

void job_cancel_all(void)
{
    for (Job *job = jobs, *next; job; job = next) {
        next = job->next;
        if (!is_over(job)) {
            cancel(job);
        }
    }
    while (first_unfinished()) {
        main_loop_step(true);
    }
}

/* --- commands --- */

QapiJobInfoList *qmp_query_jobs(Error **errp)
{
    QapiJobInfoList *list = g_new0(QapiJobInfoList, 1);

    for (const Job *job = jobs; job; job = job->next) {
        QapiJobInfo *info = QAPI_LIST_APPEND(list);

        info->id = g_strdup(job->id);
        info->type = job->driver->type;
        info->status = job->status;
        info->current_progress = (int64_t)job->progress;
        info->total_progress = (int64_t)job->total;
        info->error = job->err ? g_strdup(error_get_pretty(job->err)) : NULL;
    }
    return list;
}

static Job *find_or_say(const char *id, Error **errp)
{
    Job *job = job_find(id);

    if (!job) {
        error_setg(errp, "Job not found");
    }
    return job;
}

/* The job, if it takes @verb now. */
static Job *find_for(const char *id, Verb verb, Error **errp)
{
    Job *job = find_or_say(id, errp);

    return job && may(job, verb, errp) ? job : NULL;
}

bool qmp_job_pause(const QapiJobPauseArgs *args, Error **errp)
{
    Job *job = find_for(args->id, VERB_PAUSE, errp);

    if (!job) {
        return false;
    }
    if (job->user_paused) {
        error_setg(errp, "Job is already paused");
        return false;
    }
    job->user_paused = true;
    return true;
}

bool qmp_job_resume(const QapiJobResumeArgs *args, Error **errp)
{
    Job *job = find_or_say(args->id, errp);

    if (!job) {
        return false;
    }
    if (!job->user_paused) {
        error_setg(errp, "Can't resume a job that was not paused");
        return false;
    }
    if (!may(job, VERB_RESUME, errp)) {
        return false;
    }
    job->user_paused = false;
    if (job->at_pause_point) {
        go_on(job);
    }
    return true;
}

bool qmp_job_cancel(const QapiJobCancelArgs *args, Error **errp)
{
    Job *job = find_for(args->id, VERB_CANCEL, errp);

    if (job) {
        cancel(job);
    }
    return job != NULL;
}

bool qmp_job_complete(const QapiJobCompleteArgs *args, Error **errp)
{
    Job *job = find_for(args->id, VERB_COMPLETE, errp);

    if (!job) {
        return false;
    }
    if (job_is_cancelled(job) || !job->driver->complete) {
        error_setg(errp, "The active block job '%s' cannot be completed", job->id);
        return false;
    }
    job->driver->complete(job);
    return true;
}

bool qmp_job_finalize(const QapiJobFinalizeArgs *args, Error **errp)
{
    Job *job = find_for(args->id, VERB_FINALIZE, errp);

    if (job) {
        finalize(job);
    }
    return job != NULL;
}

bool qmp_job_dismiss(const QapiJobDismissArgs *args, Error **errp)
{
    Job *job = find_for(args->id, VERB_DISMISS, errp);

    if (job) {
        dismiss(job);
    }
    return job != NULL;
}
