/* Jobs: every way through the states, with a driver that does as the test says. */
#include "qapi/qapi-commands.h"
#include "qapi/qapi-events.h"
#include "system/job.h"
#include "util/main-loop.h"

typedef struct Toy {
    Job job;
    bool prepare_fails;
} Toy;

static GString *states, *calls;         /* what was told, what was called */
static bool prepare_fails;
static char id[] = "j";

static void sink(const char *event, Value *data)
{
    g_assert_cmpstr(event, ==, "JOB_STATUS_CHANGE");
    g_string_append_printf(states, "%s ", value_dict_get_str(data, "status"));
    value_unref(data);
}

static void note(const char *call)
{
    g_string_append_printf(calls, "%s ", call);
}

static void toy_start(Job *job) { note("start"); }
static void toy_go_on(Job *job) { note("go-on"); }
static void toy_commit(Job *job) { note("commit"); }
static void toy_abort(Job *job) { note("abort"); }
static void toy_free(Job *job) { note("free"); }

static void toy_cancel(Job *job)
{
    note("cancel");
    job_finish(job, NULL);
}

static void toy_complete(Job *job)
{
    note("complete");
    job_finish(job, NULL);
}

static bool toy_prepare(Job *job, Error **errp)
{
    note("prepare");
    if (prepare_fails) {
        error_setg(errp, "not now");
    }
    return !prepare_fails;
}

static const JobDriver toy = {
    .type = QAPI_JOB_TYPE_MIRROR, .instance_size = sizeof(Toy), .start = toy_start, .go_on = toy_go_on, .cancel = toy_cancel,
    .complete = toy_complete, .prepare = toy_prepare, .commit = toy_commit, .abort = toy_abort, .free = toy_free,
};

static Job *begin(unsigned flags)
{
    Job *job;

    g_string_truncate(states, 0);
    g_string_truncate(calls, 0);
    prepare_fails = false;
    job = job_new(&toy, "j", flags, &error_abort);
    job_start(job);
    return job;
}

static void assert_told(const char *want_states, const char *want_calls)
{
    g_assert_cmpstr(states->str, ==, want_states);
    g_assert_cmpstr(calls->str, ==, want_calls);
    g_string_truncate(states, 0);
    g_string_truncate(calls, 0);
}

static void assert_refused(bool ok, Error **err, const char *text)
{
    g_assert_false(ok);
    g_assert_cmpstr(error_get_pretty(*err), ==, text);
    error_free(*err);
    *err = NULL;
}

static void test_success_ends_by_itself(void)
{
    Job *job = begin(0);

    job_finish(job, NULL);
    assert_told("created running waiting pending concluded null ", "start prepare commit free ");
    g_assert_null(job_find("j"));
}

static void test_manual_steps_are_waited_for(void)
{
    Job *job = begin(JOB_MANUAL_FINALIZE | JOB_MANUAL_DISMISS);
    Error *err = NULL;

    job_finish(job, NULL);
    assert_told("created running waiting pending ", "start ");
    assert_refused(qmp_job_pause(&(QapiJobPauseArgs){ id }, &err), &err, "Job 'j' in state 'pending' cannot accept command verb 'pause'");
    assert_refused(qmp_job_dismiss(&(QapiJobDismissArgs){ id }, &err), &err, "Job 'j' in state 'pending' cannot accept command verb 'dismiss'");
    g_assert_true(qmp_job_finalize(&(QapiJobFinalizeArgs){ id }, &error_abort));
    assert_told("concluded ", "prepare commit ");
    assert_refused(qmp_job_cancel(&(QapiJobCancelArgs){ id }, &err), &err, "Job 'j' in state 'concluded' cannot accept command verb 'cancel'");
    g_assert_true(qmp_job_dismiss(&(QapiJobDismissArgs){ id }, &error_abort));
    assert_told("null ", "free ");
    assert_refused(qmp_job_dismiss(&(QapiJobDismissArgs){ id }, &err), &err, "Job not found");
}

static void test_failure_tells_why(void)
{
    Job *job = begin(JOB_MANUAL_DISMISS);
    QapiJobInfoList *list;
    Error *err = NULL;

    error_setg(&err, "no room");
    job_progress(job, 3, 7);
    job_finish(job, err);
    assert_told("created running aborting concluded ", "start abort ");
    list = qmp_query_jobs(&error_abort);
    g_assert_cmpuint(list->len, ==, 1);
    g_assert_cmpstr(list->at[0].error, ==, "no room");
    g_assert_cmpint(list->at[0].current_progress, ==, 3);
    g_assert_cmpint(list->at[0].total_progress, ==, 7);
    g_assert_cmpint(list->at[0].type, ==, QAPI_JOB_TYPE_MIRROR);
    qapi_free_job_info_list(list);
    qmp_job_dismiss(&(QapiJobDismissArgs){ id }, &error_abort);
}

static void test_last_step_may_fail(void)
{
    Job *job = begin(0);

    prepare_fails = true;
    job_finish(job, NULL);
    assert_told("created running waiting pending aborting concluded null ", "start prepare abort free ");
}

static void test_pause_holds_until_resumed(void)
{
    Job *job = begin(0);
    Error *err = NULL;

    g_assert_true(job_pause_point(job));
    assert_refused(qmp_job_resume(&(QapiJobResumeArgs){ id }, &err), &err, "Can't resume a job that was not paused");
    g_assert_true(qmp_job_pause(&(QapiJobPauseArgs){ id }, &error_abort));
    assert_refused(qmp_job_pause(&(QapiJobPauseArgs){ id }, &err), &err, "Job is already paused");
    assert_told("created running ", "start ");
    g_assert_false(job_pause_point(job));
    assert_told("paused ", "");
    g_assert_true(qmp_job_resume(&(QapiJobResumeArgs){ id }, &error_abort));
    assert_told("running ", "go-on ");
    job_ready(job);
    qmp_job_pause(&(QapiJobPauseArgs){ id }, &error_abort);
    g_assert_false(job_pause_point(job));
    assert_told("ready standby ", "");
    assert_refused(qmp_job_complete(&(QapiJobCompleteArgs){ id }, &err), &err, "Job 'j' in state 'standby' cannot accept command verb 'complete'");
    qmp_job_resume(&(QapiJobResumeArgs){ id }, &error_abort);
    qmp_job_complete(&(QapiJobCompleteArgs){ id }, &error_abort);
    assert_told("ready waiting pending concluded null ", "go-on complete prepare commit free ");
}

static void test_cancel_in_every_state(void)
{
    Error *err = NULL;
    Job *job = begin(0);

    qmp_job_cancel(&(QapiJobCancelArgs){ id }, &error_abort);
    assert_told("created running aborting concluded null ", "start cancel abort free ");

    job = begin(0);
    qmp_job_pause(&(QapiJobPauseArgs){ id }, &error_abort);
    g_assert_false(job_pause_point(job));
    qmp_job_cancel(&(QapiJobCancelArgs){ id }, &error_abort);
    g_assert_true(job_pause_point(job));        /* no more pauses */
    job_finish(job, NULL);
    assert_told("created running paused running aborting concluded null ", "start go-on abort free ");

    job = begin(JOB_MANUAL_FINALIZE | JOB_MANUAL_DISMISS);
    job_finish(job, NULL);
    qmp_job_cancel(&(QapiJobCancelArgs){ id }, &error_abort);
    assert_told("created running waiting pending aborting concluded ", "start abort ");
    g_assert_cmpstr(error_get_pretty(job->err), ==, "Operation canceled");
    qmp_job_dismiss(&(QapiJobDismissArgs){ id }, &error_abort);

    g_string_truncate(states, 0);
    job_new(&toy, "j", 0, &error_abort);
    g_assert_null(job_new(&toy, "j", 0, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, "Job ID 'j' already in use");
    error_free(err);
    job_cancel_all();
    g_assert_cmpstr(states->str, ==, "created aborting concluded null ");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    states = g_string_new(NULL);
    calls = g_string_new(NULL);
    qapi_event_set_sink(sink);
    g_test_add_func("/job/success-ends-by-itself", test_success_ends_by_itself);
    g_test_add_func("/job/manual-steps-are-waited-for", test_manual_steps_are_waited_for);
    g_test_add_func("/job/failure-tells-why", test_failure_tells_why);
    g_test_add_func("/job/last-step-may-fail", test_last_step_may_fail);
    g_test_add_func("/job/pause-holds-until-resumed", test_pause_holds_until_resumed);
    g_test_add_func("/job/cancel-in-every-state", test_cancel_in_every_state);
    return g_test_run();
}
