/* A host under the circumstances that the header tells of: fork, dlclose, signals, an exit with engines open.
 * Usage: host CASE STORE LIBRARY PLUGIN. Ends with 0 if all is as told. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "job.h"

#define EXPECT(expected, call)                                                                   \
  do {                                                                                           \
    JobStatus found = (call);                                                                    \
    if (found != (expected)) {                                                                   \
      fprintf(stderr, "line %d: %s is %d: %s\n", __LINE__, #call, found, job_last_error(NULL));  \
      _exit(1);                                                                                  \
    }                                                                                            \
  } while (0)

static atomic_int rounds;

/* Goes on until it is told to stop. */
static JobStatus endless(void *data, JobContext context) {
  JobStatus status;
  (void)data;
  while ((status = job_context_check_stopped(context)) == JOB_OK) {
    atomic_fetch_add(&rounds, 1);
    usleep(100);
  }
  return status;
}

static JobStatus few_rows(void *data, JobContext context) {
  JobRows rows;
  JobStatus status = job_context_rows(context, "rows", 4, &rows);
  (void)data;
  for (int row = 0; row < 1000 && status == JOB_OK; row++) {
    usleep(row % 100 == 0 ? 1000 : 0);
    status = job_rows_push(rows, "[1,2,3]", 7);
  }
  return status;
}

static const char *STORE;

static JobEngine open_engine(JobHandler endless_handler) {
  JobBuilder builder;
  JobEngine engine;
  char options[1024];
  snprintf(options, sizeof options, "{\"store\":%s,\"workers\":2}", STORE);
  EXPECT(JOB_OK, job_builder_new(&builder));
  EXPECT(JOB_OK, job_builder_handler(builder, "endless", 7, endless_handler, NULL, NULL));
  EXPECT(JOB_OK, job_builder_handler(builder, "rows", 4, few_rows, NULL, NULL));
  EXPECT(JOB_OK, job_engine_open(builder, options, strlen(options), &engine));
  EXPECT(JOB_OK, job_builder_free(builder));
  return engine;
}

static JobId submit(JobEngine engine, const char *algorithm) {
  char spec[128];
  JobId job;
  snprintf(spec, sizeof spec, "{\"kind\":{\"algorithm\":\"%s\"},\"graph\":\"g\"}", algorithm);
  EXPECT(JOB_OK, job_submit(engine, spec, strlen(spec), 0, &job));
  return job;
}

static void run_rows(JobEngine engine) {
  JobStateCode state;
  JobId job = submit(engine, "rows");
  EXPECT(JOB_OK, job_wait(engine, &job, JOB_FOREVER, &state));
  if (state != JOB_STATE_SUCCEEDED) _exit(2);
}

static void wait_for_rounds(int more) {
  int from = atomic_load(&rounds);
  while (atomic_load(&rounds) < from + more) usleep(100);
}

static int child_ends_well(pid_t child) {
  int status;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int forks(void) {
  JobEngine engine = open_engine(endless);
  JobBuilder builder;
  size_t length;
  JobId job = submit(engine, "endless");
  wait_for_rounds(3);
  pid_t child = fork();
  if (child == 0) {
    EXPECT(JOB_ERROR_FORKED, job_engine_health(engine));
    EXPECT(JOB_ERROR_FORKED, job_builder_new(&builder));
    EXPECT(JOB_ERROR_FORKED, job_cancel(engine, &job));
    EXPECT(JOB_ERROR_FORKED, job_wait(engine, &job, JOB_FOREVER, NULL));
    EXPECT(JOB_ERROR_FORKED, job_engine_stats(engine, NULL, 0, &length));
    EXPECT(JOB_ERROR_FORKED, job_engine_shutdown(engine, 0, NULL, NULL));
    EXPECT(JOB_ERROR_FORKED, job_engine_free(engine));
    _exit(0);
  }
  if (!child_ends_well(child)) return 3;
  EXPECT(JOB_OK, job_engine_health(engine));
  run_rows(engine);
  EXPECT(JOB_OK, job_cancel(engine, &job));
  EXPECT(JOB_OK, job_engine_free(engine));
  /* A process without an engine may fork, and its child open one. */
  child = fork();
  if (child == 0) {
    engine = open_engine(endless);
    run_rows(engine);
    EXPECT(JOB_OK, job_engine_free(engine));
    _exit(0);
  }
  return child_ends_well(child) ? 0 : 4;
}

static void on_alarm(int signal) { (void)signal; }

static int signals(void) {
  struct sigaction before[32], after;
  struct sigaction action = {.sa_handler = on_alarm}; /* Without SA_RESTART: calls of the system are cut short. */
  struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
  sigaction(SIGALRM, &action, NULL);
  for (int signal = 1; signal < 32; signal++) sigaction(signal, NULL, &before[signal]);
  setitimer(ITIMER_REAL, &often, NULL);
  JobEngine engine = open_engine(endless);
  for (int round = 0; round < 10; round++) run_rows(engine);
  EXPECT(JOB_OK, job_engine_free(engine));
  setitimer(ITIMER_REAL, &never, NULL);
  for (int signal = 1; signal < 32; signal++) {
    sigaction(signal, NULL, &after);
    if (after.sa_handler != before[signal].sa_handler) return 3;
  }
  return 0;
}

/* Threads of an engine go on after dlclose. */
static int closes_library(const char *library) {
  void *again = dlopen(library, RTLD_NOW);
  if (again == NULL) return 3;
  JobEngine engine = open_engine(endless);
  submit(engine, "endless");
  wait_for_rounds(3);
  dlclose(again);
  wait_for_rounds(20);
  EXPECT(JOB_OK, job_engine_free(engine));
  return 0;
}

/* The code of a handler goes once the engine is freed. */
static int unloads_handler(const char *plugin) {
  for (int round = 0; round < 5; round++) {
    void *code = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
    JobHandler handler = code == NULL ? NULL : (JobHandler)dlsym(code, "plugin_handler");
    JobCompleted completed = code == NULL ? NULL : (JobCompleted)dlsym(code, "plugin_completed");
    if (handler == NULL || completed == NULL) return 3;
    JobEngine engine = open_engine(handler);
    JobId first = submit(engine, "endless"), second = submit(engine, "endless"), third = submit(engine, "endless");
    EXPECT(JOB_OK, job_on_complete(engine, &first, completed, NULL, NULL));
    EXPECT(JOB_OK, job_on_complete(engine, &second, completed, NULL, NULL));
    EXPECT(JOB_OK, job_on_complete(engine, &third, completed, NULL, NULL));
    EXPECT(JOB_OK, job_cancel(engine, &first));
    EXPECT(JOB_OK, job_engine_free(engine));
    if (dlclose(code) != 0) return 4;
  }
  return 0;
}

/* Main returns while a handler runs. */
static int returns_at_once(void) {
  submit(open_engine(endless), "endless");
  wait_for_rounds(3);
  return 0;
}

int main(int count, char **arguments) {
  if (count < 5) return 9;
  STORE = arguments[2];
  if (strcmp(arguments[1], "fork") == 0) return forks();
  if (strcmp(arguments[1], "signals") == 0) return signals();
  if (strcmp(arguments[1], "dlclose") == 0) return closes_library(arguments[3]);
  if (strcmp(arguments[1], "unload") == 0) return unloads_handler(arguments[4]);
  if (strcmp(arguments[1], "exit") == 0) return returns_at_once();
  return 8;
}
