/* A part of a host that is unloaded. */
#include <unistd.h>

#include "job.h"

JobStatus plugin_handler(void *data, JobContext context) {
  JobStatus status;
  (void)data;
  while ((status = job_context_check_stopped(context)) == JOB_OK) usleep(100);
  return status;
}

void plugin_completed(void *data, const JobId *job, JobStateCode state) {
  (void)data;
  (void)job;
  (void)state;
}
