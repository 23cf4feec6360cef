// A graph engine in C++ with a RocksDB of its own, which runs its long work as jobs of libjob. Two versions of RocksDB
// are in the process: the host's, and the one inside of libjob, whose symbols are hidden.
//
//     graph DIRECTORY VERTICES filter   fills the graph, filters it, reads pages, cancels a job
//     graph DIRECTORY VERTICES crash    dies in the middle of a job, with exit code 42
//     graph DIRECTORY VERTICES resume   goes on with that job from its checkpoint
#include <rocksdb/db.h>
#include <rocksdb/version.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include "job.h"

namespace {

// A failed call, with the sentence of the library.
void check(JobStatus status) {
  if (status != JOB_OK) throw std::runtime_error("status " + std::to_string(status) + ": " + job_last_error(nullptr));
}

void require(bool holds, const std::string &what) {
  if (!holds) throw std::runtime_error("it does not hold that " + what);
}

// No exception may leave a function that libjob calls: this makes a failure of the job of one.
template <typename Body>
JobStatus guarded(JobContext context, Body body) noexcept {
  try {
    return body();
  } catch (const std::exception &error) {
    return job_context_fail(context, error.what(), std::strlen(error.what()));
  } catch (...) {
    return job_context_fail(context, "unknown exception", 17);
  }
}

// An answer of any length: a buffer that is too small is made larger.
template <typename Call>
std::string answer(Call call) {
  std::string buffer(256, '\0');
  std::size_t length = 0;
  JobStatus status;
  while ((status = call(&buffer[0], buffer.size(), &length)) == JOB_ERROR_BUFFER) buffer.resize(length);
  check(status);
  buffer.resize(length);
  return buffer;
}

// The vertices of a graph, in a database of the host.
class Graph {
 public:
  Graph(const std::string &directory, std::uint64_t vertices) : vertices_(vertices) {
    rocksdb::Options options;
    options.create_if_missing = true;
    rocksdb::DB *db = nullptr;
    ok(rocksdb::DB::Open(options, directory, &db));
    db_.reset(db);
  }

  std::uint64_t vertices() const { return vertices_; }

  void fill() {
    rocksdb::WriteBatch batch;
    for (std::uint64_t id = 0; id < vertices_; id++) {
      batch.Put(key(id), "{\"id\":\"v" + std::to_string(id) + "\",\"age\":" + std::to_string(age(id)) + "}");
      if (id % 1000 == 999 || id + 1 == vertices_) {
        ok(db_->Write(rocksdb::WriteOptions(), &batch));
        batch.Clear();
      }
    }
  }

  // Calls `each` with the number and the JSON of every vertex in the range.
  template <typename Each>
  JobStatus scan(std::uint64_t first, std::uint64_t end, Each each) const {
    std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(rocksdb::ReadOptions()));
    at->Seek(key(first));
    for (std::uint64_t id = first; id < end && at->Valid(); id++, at->Next()) {
      JobStatus status = each(id, at->value());
      if (status != JOB_OK) return status;
    }
    ok(at->status());
    return JOB_OK;
  }

  static std::uint64_t age(std::uint64_t id) { return id * 7 % 90; }

 private:
  static void ok(const rocksdb::Status &status) {
    if (!status.ok()) throw std::runtime_error(status.ToString());
  }

  static std::string key(std::uint64_t id) {
    char text[24];
    std::snprintf(text, sizeof text, "v%016llx", static_cast<unsigned long long>(id));
    return text;
  }

  std::uint64_t vertices_;
  std::unique_ptr<rocksdb::DB> db_;
};

JobStatus adults_of_part(void *data, JobContext context, JobRows rows, std::uint64_t first, std::uint64_t end) {
  return guarded(context, [&] {
    return static_cast<const Graph *>(data)->scan(first, end, [&](std::uint64_t id, const rocksdb::Slice &json) {
      if (id % 64 == 0) {
        JobStatus told = job_context_check_stopped(context);
        if (told != JOB_OK) return told;
      }
      return Graph::age(id) < 18 ? JOB_OK : job_rows_push_unchecked(rows, json.data(), json.size());
    });
  });
}

// Vertex filter: idle workers help with the scan.
JobStatus adults(void *data, JobContext context) {
  const std::uint64_t vertices = static_cast<const Graph *>(data)->vertices();
  return job_context_scan(context, "vertices", 8, 0, vertices, 0, adults_of_part, data);
}

std::atomic<bool> dies{false};

// An algorithm that goes on from its checkpoint: the sum of all ages.
JobStatus total_age(void *data, JobContext context) {
  return guarded(context, [&] {
    const Graph &graph = *static_cast<const Graph *>(data);
    std::uint64_t state[2] = {0, 0};  // the next vertex, and the sum before it
    std::size_t length = 0;
    JobStatus loaded = job_context_load_checkpoint(context, state, sizeof state, &length);
    if (loaded != JOB_OK && loaded != JOB_ERROR_NOT_FOUND) return loaded;
    const std::string from = std::to_string(state[0]);
    const std::uint64_t step = graph.vertices() / 10;
    while (state[0] < graph.vertices()) {
      const std::uint64_t end = std::min(state[0] + step, graph.vertices());
      check(graph.scan(state[0], end, [&](std::uint64_t id, const rocksdb::Slice &) {
        state[1] += Graph::age(id);
        return JOB_OK;
      }));
      state[0] = end;
      JobStatus status = job_context_save_checkpoint(context, state, sizeof state);
      if (status == JOB_OK) status = job_context_set_progress(context, state[0], graph.vertices());
      if (status == JOB_OK) status = job_context_check_stopped(context);
      if (status != JOB_OK) return status;
      if (dies && state[0] * 2 >= graph.vertices()) _exit(42);
    }
    const std::string sum = std::to_string(state[1]);
    check(job_context_set_output(context, "resumed_from", 12, from.data(), from.size()));
    check(job_context_set_output(context, "sum", 3, sum.data(), sum.size()));
    return JOB_OK;
  });
}

JobStatus endless(void *, JobContext context) {
  JobStatus told;
  while ((told = job_context_check_stopped(context)) == JOB_OK) usleep(100);
  return told;
}

JobStatus throws(void *, JobContext context) {
  return guarded(context, []() -> JobStatus { throw std::runtime_error("the index is gone"); });
}

// The engine of the host's jobs.
class Engine {
 public:
  Engine(const std::string &directory, const Graph &graph) {
    JobBuilder builder = 0;
    check(job_builder_new(&builder));
    void *data = const_cast<Graph *>(&graph);
    handler(builder, "vertex_filter", adults, data);
    handler(builder, "total_age", total_age, data);
    handler(builder, "endless", endless, nullptr);
    handler(builder, "throws", throws, nullptr);
    const std::string options = "{\"store\":{\"rocksdb\":\"" + directory + "\"},\"workers\":2}";
    JobStatus opened = job_engine_open(builder, options.data(), options.size(), &engine_);
    check(job_builder_free(builder));
    check(opened);
  }

  Engine(const Engine &) = delete;
  Engine &operator=(const Engine &) = delete;

  // The graph is there until every handler has ended.
  ~Engine() { job_engine_free(engine_); }

  JobId submit(const std::string &kind) {
    const std::string spec = "{\"kind\":" + kind + ",\"graph\":\"people\"}";
    JobId job;
    check(job_submit(engine_, spec.data(), spec.size(), 0, &job));
    return job;
  }

  JobStateCode wait(const JobId &job) {
    JobStateCode state;
    check(job_wait(engine_, &job, JOB_FOREVER, &state));
    return state;
  }

  void cancel(const JobId &job) { check(job_cancel(engine_, &job)); }

  std::string explain(const JobId &job) {
    return answer([&](char *buffer, std::size_t capacity, std::size_t *length) {
      return job_explain(engine_, &job, buffer, capacity, length);
    });
  }

  std::string status(const JobId &job) {
    return answer([&](char *buffer, std::size_t capacity, std::size_t *length) {
      return job_status_payload(engine_, &job, nullptr, 0, 0, 1, buffer, capacity, length, nullptr);
    });
  }

  std::string list(const std::string &filter) {
    return answer([&](char *buffer, std::size_t capacity, std::size_t *length) {
      return job_list(engine_, filter.data(), filter.size(), buffer, capacity, length);
    });
  }

  // A page without a copy by the library: the pieces are borrowed.
  std::string page(const JobId &job, std::uint64_t offset, std::uint32_t limit, JobPage *size) {
    std::string rows;
    JobPiece append = [](void *out, const char *bytes, std::size_t length) noexcept -> std::int32_t {
      static_cast<std::string *>(out)->append(bytes, length);
      return 0;
    };
    check(job_page_pieces(engine_, &job, offset, limit, append, &rows, size));
    return rows;
  }

 private:
  static void handler(JobBuilder builder, const std::string &kind, JobHandler run, void *data) {
    check(job_builder_handler(builder, kind.data(), kind.size(), run, data, nullptr));
  }

  JobEngine engine_ = 0;
};

bool has(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

std::uint64_t expected_adults(std::uint64_t vertices) {
  std::uint64_t adults = 0;
  for (std::uint64_t id = 0; id < vertices; id++) adults += Graph::age(id) >= 18;
  return adults;
}

void filter(Engine &engine, Graph &graph) {
  graph.fill();
  JobId job = engine.submit("\"vertex_filter\"");
  require(engine.wait(job) == JOB_STATE_SUCCEEDED, "the filter succeeds: " + engine.explain(job));
  // Every page, in the order of the graph.
  const std::uint64_t total = expected_adults(graph.vertices());
  std::uint64_t offset = 0, id = 0;
  while (offset < total) {
    JobPage size;
    const std::string rows = engine.page(job, offset, 10000, &size);
    require(size.total == total && size.partial == 0, "a page tells " + std::to_string(total) + " rows");
    std::size_t at = 0;
    for (std::uint64_t row = 0; row < size.rows; row++, id++) {
      while (Graph::age(id) < 18) id++;
      const std::string expected =
          "{\"id\":\"v" + std::to_string(id) + "\",\"age\":" + std::to_string(Graph::age(id)) + "}";
      require(rows.compare(at, expected.size(), expected) == 0, "row " + std::to_string(offset + row) + " is " + expected);
      at += expected.size() + 1;
    }
    require(at == rows.size() + 1, "a page has no other bytes");
    offset += size.rows;
  }
  std::cout << "filter: " << total << " of " << graph.vertices() << " vertices, page by page" << std::endl;

  job = engine.submit("{\"algorithm\":\"endless\"}");
  while (!has(engine.explain(job), "\"state\":\"running\"")) usleep(1000);
  engine.cancel(job);
  require(engine.wait(job) == JOB_STATE_CANCELLED, "a running job is cancelled");
  job = engine.submit("{\"algorithm\":\"throws\"}");
  require(engine.wait(job) == JOB_STATE_FAILED, "an exception fails the job");
  require(has(engine.explain(job), "the index is gone"), "it has the reason: " + engine.explain(job));
  std::cout << "cancel and failure: as told" << std::endl;
}

void crash(Engine &engine) {
  dies = true;
  engine.wait(engine.submit("{\"algorithm\":\"total_age\"}"));
  require(false, "the process dies in the handler");
}

void resume(Engine &engine, const Graph &graph) {
  const std::string jobs = engine.list("{\"kind\":\"total_age\",\"limit\":1}");
  const std::size_t at = jobs.find("\"id\":\"");
  require(at != std::string::npos, "the job is there: " + jobs);
  JobId job;
  check(job_id_parse(jobs.data() + at + 6, 36, &job));
  require(engine.wait(job) == JOB_STATE_SUCCEEDED, "it succeeds: " + engine.explain(job));
  std::uint64_t sum = 0;
  for (std::uint64_t id = 0; id < graph.vertices(); id++) sum += Graph::age(id);
  const std::string status = engine.status(job);
  require(has(status, "\"sum\":" + std::to_string(sum)), "no vertex is missing or twice: " + status);
  require(!has(status, "\"resumed_from\":0}") && !has(status, "\"resumed_from\":0,"), "it goes on: " + status);
  require(has(engine.explain(job), "\"attempt\":2"), "it is the second attempt: " + engine.explain(job));
  std::cout << "resume: " << status << std::endl;
}

}  // namespace

int main(int count, char **arguments) {
  if (count != 4) return 2;
  try {
    require(job_abi_version() == JOB_ABI_VERSION, "header and library are of one version");
    const std::string directory = arguments[1], what = arguments[3];
    std::cout << "RocksDB " << ROCKSDB_MAJOR << "." << ROCKSDB_MINOR << " of the host" << std::endl;
    Graph graph(directory + "/graph", std::stoull(arguments[2]));
    Engine engine(directory + "/jobs", graph);
    if (what == "filter") filter(engine, graph);
    if (what == "crash") crash(engine);
    if (what == "resume") resume(engine, graph);
    return 0;
  } catch (const std::exception &error) {
    std::cerr << "graph: " << error.what() << std::endl;
    return 1;
  }
}
