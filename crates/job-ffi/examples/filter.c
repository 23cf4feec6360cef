/* A vertex filter as a job: the adults of a small graph, and a page of them.
 *
 *     cc filter.c -ljob -o filter && ./filter '{"redb": "jobs.redb"}'
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"

/* Ends the program when a call fails, with the sentence of the library. */
static void check(JobStatus status) {
  if (status != JOB_OK) {
    fprintf(stderr, "status %d: %s\n", status, job_last_error(NULL));
    exit(1);
  }
}

static unsigned age_of(uint64_t vertex) { return (unsigned)(vertex * 7 % 90); }

/* One partition of the scan. Several threads call it at once, each with rows of its own. */
static JobStatus scan(void *data, JobContext context, JobRows rows, uint64_t first, uint64_t end) {
  unsigned least = *(const unsigned *)data;
  char row[64];
  for (uint64_t vertex = first; vertex < end; vertex++) {
    JobStatus status = vertex % 256 == 0 ? job_context_check_stopped(context) : JOB_OK;
    if (status == JOB_OK && age_of(vertex) >= least) {
      int length = snprintf(row, sizeof row, "{\"id\":\"v%" PRIu64 "\",\"age\":%u}", vertex, age_of(vertex));
      status = job_rows_push_unchecked(rows, row, (size_t)length);
    }
    if (status != JOB_OK) return status; /* The job ends with the reason of this call. */
  }
  return JOB_OK;
}

/* The handler. A real one reads its parameters out of the JSON of job_context_spec. */
static JobStatus adults(void *data, JobContext context) {
  return job_context_scan(context, "vertices", 8, 0, 200000, 0, scan, data);
}

int main(int count, char **arguments) {
  static unsigned least = 18;
  const char *store = count > 1 ? arguments[1] : "\"memory\"";
  const char *spec = "{\"kind\":\"vertex_filter\",\"graph\":\"people\"}";
  char options[1024], page[4096];
  size_t length;
  JobBuilder builder;
  JobEngine engine;
  JobId job;
  JobStateCode state;
  JobPage size;

  if (job_abi_version() != JOB_ABI_VERSION) return 2;
  check(job_builder_new(&builder));
  check(job_builder_handler(builder, "vertex_filter", 13, adults, &least, NULL));
  snprintf(options, sizeof options, "{\"store\":%s,\"workers\":2}", store);
  check(job_engine_open(builder, options, strlen(options), &engine));
  check(job_builder_free(builder));

  check(job_submit(engine, spec, strlen(spec), 0, &job));
  check(job_wait(engine, &job, JOB_FOREVER, &state));
  check(job_page(engine, &job, 1000, 3, page, sizeof page, &length, &size));
  printf("state %d, rows 1000 to 1002 of %" PRIu64 ":\n%.*s\n", state, size.total, (int)length, page);
  check(job_engine_free(engine));
  return state == JOB_STATE_SUCCEEDED ? 0 : 3;
}
