/*
 * Background jobs: long work that a manager starts, watches by JOB_STATUS_CHANGE and query-jobs, and ends.
 *
 *   created -> running <-> paused            work is done; a pause takes effect at the driver's next pause point
 *              running -> ready <-> standby  the driver has come as far as it can and goes on until it is completed
 *              running, ready -> waiting -> pending -> concluded     it succeeded; pending is where a job with manual
 *                                                                    finalization waits
 *              any of these -> aborting -> concluded                 it failed or was cancelled
 *              concluded -> null             it was dismissed and is gone
 *
 * A driver is a table of callbacks.  Its work runs wherever it likes (a thread, block requests); it reports by
 * job_progress(), asks job_pause_point() where it could stop, and ends by job_finish(), all under the BQL.
 * Locks: BQL, but for job_is_cancelled().
 */
#ifndef SYSTEM_JOB_H
#define SYSTEM_JOB_H

#include "qapi/qapi-types.h"
#include "util/error.h"

typedef struct Job Job;

typedef struct JobDriver {
    QapiJobType type;
    size_t instance_size;               /* of a struct that begins with a Job */
    void (*start)(Job *job);            /* begin; must lead to job_finish() */
    void (*go_on)(Job *job);            /* after job_pause_point() said to stop; NULL if it is never asked */
    void (*cancel)(Job *job);           /* end early, by job_finish(); NULL: it looks at job_is_cancelled() by itself */
    void (*complete)(Job *job);         /* a ready job shall end, by job_finish(); NULL: it cannot be asked to */
    bool (*prepare)(Job *job, Error **errp);    /* the last step that may fail; NULL = none */
    void (*commit)(Job *job);           /* it succeeded; NULL = nothing to do */
    void (*abort)(Job *job);            /* it did not; NULL = nothing to undo */
    void (*free)(Job *job);             /* what the instance holds */
} JobDriver;

enum {
    JOB_MANUAL_FINALIZE = 1 << 0,       /* wait in state pending for job-finalize */
    JOB_MANUAL_DISMISS = 1 << 1,        /* stay in state concluded until job-dismiss */
};

struct Job {
    const JobDriver *driver;
    char *id;
    QapiJobStatus status;
    unsigned flags;
    uint64_t progress, total;
    Error *err;                         /* why it failed */
    bool user_paused;                   /* a pause was asked for and not yet taken back */
    bool at_pause_point;                /* the driver waits for .go_on */
    bool deferred;                      /* the driver is done */
    bool cancelled;                     /* atomic */
    Job *next;
};

/* In state created.  @id must be an identifier that no job has.  job_start() follows, or job_finish() with an error. */
Job *job_new(const JobDriver *driver, const char *id, unsigned flags, Error **errp);
void job_start(Job *job);
/* May the driver go on?  False: a pause was asked for, and .go_on will be called. */
bool job_pause_point(Job *job) MUST_USE;
void job_progress(Job *job, uint64_t done, uint64_t total);
/* It has come as far as it can before it is completed. */
void job_ready(Job *job);
/* The driver's work is over; @err: it failed (consumed).  @job may be gone after this. */
void job_finish(Job *job, Error *err);
/* Any thread. */
bool job_is_cancelled(const Job *job);
Job *job_find(const char *id);
/* At the end of the process: cancel all and wait for them. */
void job_cancel_all(void);

#endif
