// How fast the journal takes events, and how fast many readers get them: without gRPC, so that a
// slow stream can be told from a slow journal.
//
//   journal_bench --benchmark_filter=FanOut
#include <benchmark/benchmark.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "daemon/base/metrics.h"
#include "daemon/base/random.h"
#include "daemon/journal/journal.h"
#include "daemon/journal/sqlite_store.h"

namespace talkjsd::journal {
namespace {

constexpr size_t kEventBytes = 560;
constexpr size_t kBatchEvents = 256;
constexpr size_t kNoByteLimit = SIZE_MAX;

std::vector<NewEvent> MakeEvents(size_t count, const std::string& session) {
  std::string serialised("\x0a\x11");
  serialised.append(CursorPlaceholder()).append(kEventBytes - 22, 'x');
  std::vector<NewEvent> events(count);
  for (NewEvent& event : events) {
    event.session_id = session;
    event.conversation_id = "conversation";
    event.bytes = FrameEvent(serialised);
  }
  return events;
}

std::unique_ptr<Journal> OpenJournal(Metrics& metrics) {
  return *Journal::Open({}, MakeMemoryStore({}), SystemClock(), SecureRandom(), metrics);
}

// Appends calls of range(0) events, over range(1) sessions in turn, and waits until all are
// visible.
void BM_Append(benchmark::State& state) {
  Metrics metrics;
  const std::unique_ptr<Journal> journal = OpenJournal(metrics);
  const auto per_call = static_cast<size_t>(state.range(0));
  constexpr size_t kCalls = 1000;
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<std::vector<NewEvent>> calls;
    for (size_t i = 0; i < kCalls; ++i) {
      calls.push_back(MakeEvents(
          per_call, "session" + std::to_string(i % static_cast<size_t>(state.range(1)))));
    }
    std::atomic<bool> stored = false;
    state.ResumeTiming();
    for (std::vector<NewEvent>& call : calls) journal->Append(std::move(call));
    journal->Append({}, [&stored](const absl::Status&) {
      stored = true;
      stored.notify_one();
    });
    stored.wait(false);
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kCalls * per_call));
}
BENCHMARK(BM_Append)->Args({1, 1})->Args({1, 1000})->Args({16, 1})->UseRealTime();

// Readers of one session, each behind by the same events, read them on two threads: deliveries a
// second.
void BM_FanOutReplay(benchmark::State& state) {
  Metrics metrics;
  const std::unique_ptr<Journal> journal = OpenJournal(metrics);
  constexpr size_t kEvents = 16384;
  constexpr size_t kThreads = 2;
  const auto readers = static_cast<size_t>(state.range(0));
  journal->Append(MakeEvents(kEvents, "session"));
  while (journal->Latest().sequence < kEvents) std::this_thread::yield();
  Selection selection;
  selection.session_ids = {"session"};
  const StartPosition earliest{.kind = StartPosition::Kind::kEarliest};
  for (auto _ : state) {
    std::vector<std::thread> threads;
    for (size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::vector<std::unique_ptr<Reader>> own;
        for (size_t i = t; i < readers; i += kThreads) {
          own.push_back(*journal->OpenReader(selection, earliest, OnGap::kFail, nullptr));
        }
        for (size_t batch = 0; batch < kEvents / kBatchEvents; ++batch) {
          for (const auto& reader : own) {
            benchmark::DoNotOptimize(reader->Read(kBatchEvents, kNoByteLimit));
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kEvents * readers));
}
BENCHMARK(BM_FanOutReplay)->Arg(1)->Arg(100)->UseRealTime()->Unit(benchmark::kMillisecond);

// A pool of threads that reads for whoever is ready, as gRPC's threads do for streams.
class Pool {
 public:
  explicit Pool(size_t threads) {
    for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
  }
  ~Pool() {
    {
      std::lock_guard lock(mutex_);
      done_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  void WaitFor(Reader* reader) {
    reader->NotifyWhenReady([this, reader] {
      {
        std::lock_guard lock(mutex_);
        ready_.push_back(reader);
      }
      changed_.notify_one();
    });
  }
  size_t delivered() const { return delivered_; }

 private:
  void Work() {
    for (;;) {
      Reader* reader = nullptr;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return done_ || !ready_.empty(); });
        if (done_) return;
        reader = ready_.back();
        ready_.pop_back();
      }
      const auto batch = reader->Read(kBatchEvents, kNoByteLimit);
      if (batch.ok()) delivered_ += batch->events.size();
      WaitFor(reader);
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Reader*> ready_;
  bool done_ = false;
  std::atomic<size_t> delivered_ = 0;
  std::vector<std::thread> threads_;
};

// Appending, waking, reading and waiting again, all at once: deliveries a second to waiting readers
// of one session.
void BM_FanOutLive(benchmark::State& state) {
  Metrics metrics;
  const std::unique_ptr<Journal> journal = OpenJournal(metrics);
  Selection selection;
  selection.session_ids = {"session"};
  std::vector<std::unique_ptr<Reader>> readers;
  for (int64_t i = 0; i < state.range(0); ++i) {
    readers.push_back(*journal->OpenReader(selection, {}, OnGap::kFail, nullptr));
  }
  size_t sent = 0;
  {
    Pool pool(2);
    for (const auto& reader : readers) pool.WaitFor(reader.get());
    for (auto _ : state) {
      journal->Append(MakeEvents(kBatchEvents, "session"));
      sent += kBatchEvents * readers.size();
      // Two batches ahead at most: nobody falls out of the ring.
      while (pool.delivered() + 2 * kBatchEvents * readers.size() < sent) std::this_thread::yield();
    }
    while (pool.delivered() < sent) std::this_thread::yield();
  }
  state.SetItemsProcessed(static_cast<int64_t>(sent));
  readers.clear();
}
BENCHMARK(BM_FanOutLive)->Arg(1)->Arg(100)->UseRealTime();

// A directory that goes with the benchmark: under $TMPDIR, so that a disk can be chosen.
class BenchDir {
 public:
  BenchDir() : path_(std::filesystem::temp_directory_path() / "journal_bench.XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~BenchDir() { std::filesystem::remove_all(path_); }
  std::string operator/(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// The least that SQLite can do for an event: one table, one INSERT an event, one COMMIT a group.
class RawSqlite {
 public:
  RawSqlite(const std::string& path, Durability durability) {
    sqlite3_open(path.c_str(), &database_);
    Run("PRAGMA journal_mode=WAL");
    Run(durability == Durability::kDisk ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    Run("CREATE TABLE events(sequence INTEGER PRIMARY KEY, session TEXT, bytes BLOB)");
    sqlite3_prepare_v2(database_, "INSERT INTO events VALUES(?1, ?2, ?3)", -1, &insert_, nullptr);
  }
  ~RawSqlite() {
    sqlite3_finalize(insert_);
    sqlite3_close(database_);
  }
  void Append(const std::vector<EventRef>& group) {
    Run("BEGIN IMMEDIATE");
    for (const EventRef& event : group) {
      sqlite3_bind_int64(insert_, 1, static_cast<int64_t>(event->cursor.sequence));
      sqlite3_bind_text(insert_, 2, event->session_id.data(),
                        static_cast<int>(event->session_id.size()), SQLITE_STATIC);
      sqlite3_bind_blob(insert_, 3, event->bytes.data(), static_cast<int>(event->bytes.size()),
                        SQLITE_STATIC);
      sqlite3_step(insert_);
      sqlite3_reset(insert_);
    }
    Run("COMMIT");
  }

 private:
  void Run(const char* sql) {
    if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) std::abort();
  }
  sqlite3* database_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
};

// Groups of range(0) events into the store and into raw SQLite in turn, so that both meet the same
// disk. `ratio`: the store's events a second by the raw ones.
template <Durability durability>
void BM_StoreBesideRaw(benchmark::State& state) {
  const BenchDir directory;
  Metrics metrics;
  SqliteStoreOptions options;
  options.directory = directory / "journal";
  options.retention.bytes = size_t{4} << 30;
  options.durability = durability;
  const std::unique_ptr<Store> store = *OpenSqliteStore(options, metrics);
  if (!store->OpenEpoch(1).ok()) std::abort();
  RawSqlite raw(directory / "raw", durability);
  const auto per_group = static_cast<size_t>(state.range(0));
  uint64_t sequence = 0;
  double in_store = 0;
  double in_raw = 0;
  std::vector<double> commits;
  using Clock = std::chrono::steady_clock;
  const auto seconds_since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  for (auto _ : state) {
    std::vector<EventRef> group;
    for (size_t i = 0; i < per_group; ++i) {
      auto event = std::make_shared<StoredEvent>();
      event->cursor = {1, ++sequence};
      event->session_id = "session-" + std::to_string(sequence % 1000);
      event->conversation_id = "conversation";
      event->bytes.assign(kEventBytes, 'x');
      group.push_back(std::move(event));
    }
    const Clock::time_point first = Clock::now();
    if (!store->Append(group).ok()) std::abort();
    commits.push_back(seconds_since(first));
    in_store += commits.back();
    const Clock::time_point second = Clock::now();
    raw.Append(group);
    in_raw += seconds_since(second);
    state.SetIterationTime(commits.back());
  }
  std::sort(commits.begin(), commits.end());
  const auto groups = static_cast<double>(commits.size());
  state.counters["commits_s"] = groups / in_store;
  state.counters["events_s"] = groups * static_cast<double>(per_group) / in_store;
  state.counters["raw_events_s"] = groups * static_cast<double>(per_group) / in_raw;
  state.counters["ratio"] = in_raw / in_store;
  state.counters["p99_ms"] = commits[static_cast<size_t>(groups * 0.99)] * 1000;
  state.counters["max_ms"] = commits.back() * 1000;
}
BENCHMARK(BM_StoreBesideRaw<Durability::kOs>)->Arg(1)->Arg(16)->Arg(256)->UseManualTime();
BENCHMARK(BM_StoreBesideRaw<Durability::kDisk>)->Arg(1)->Arg(16)->Arg(256)->UseManualTime();

// Calls of one event of 1,000 sessions through the journal onto the disk: the writer groups them.
template <Durability durability>
void BM_AppendToDisk(benchmark::State& state) {
  const BenchDir directory;
  Metrics metrics;
  SqliteStoreOptions options;
  options.directory = directory / "journal";
  options.retention.bytes = size_t{4} << 30;
  options.durability = durability;
  const std::unique_ptr<Journal> journal = *Journal::Open({}, *OpenSqliteStore(options, metrics),
                                                          SystemClock(), SecureRandom(), metrics);
  constexpr size_t kCalls = 10'000;
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<std::vector<NewEvent>> calls;
    for (size_t i = 0; i < kCalls; ++i) {
      calls.push_back(MakeEvents(1, "session" + std::to_string(i % 1000)));
    }
    std::atomic<bool> stored = false;
    state.ResumeTiming();
    for (std::vector<NewEvent>& call : calls) journal->Append(std::move(call));
    journal->Append({}, [&stored](const absl::Status&) {
      stored = true;
      stored.notify_one();
    });
    stored.wait(false);
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kCalls));
}
BENCHMARK(BM_AppendToDisk<Durability::kOs>)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BM_AppendToDisk<Durability::kDisk>)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace talkjsd::journal

BENCHMARK_MAIN();
