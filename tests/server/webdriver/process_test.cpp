#include "server/webdriver/process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "server/net/deadline.hpp"
#include "server/webdriver/process_tree.hpp"
#include "tests/support/run_on_lane.hpp"

namespace shoal::webdriver {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing_support::run_on_lane;

// A child, a grandchild in a session of its own, and an orphan of a shell that has ended.
constexpr const char* kTree = "sleep 1000 & setsid sleep 1000 & (sleep 1000 &) ; echo ready; wait";

std::string marker() { return "SHOAL_PROCESS_TEST=" + std::to_string(getpid()); }

ProcessSpec shell(const std::string& script) {
  return {.supervisor = "/proc/self/exe",
          .arguments = {"/bin/sh", "-c", script},
          .environment = {{"SHOAL_PROCESS_TEST", std::to_string(getpid())}},
          .directory = "/tmp",
          .remove_if_orphaned = {}};
}

asio::awaitable<void> wait_until_gone(const std::vector<pid_t>& pids) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  const auto gone = [](pid_t pid) { return kill(pid, 0) != 0; };
  for (const TimePoint end = Clock::now() + 5s; !std::ranges::all_of(pids, gone) && Clock::now() < end;) {
    timer.expires_after(2ms);
    co_await timer.async_wait(asio::use_awaitable);
  }
  EXPECT_TRUE(std::ranges::all_of(pids, gone));
}

asio::awaitable<std::unique_ptr<Process>> start(asio::any_io_executor executor, ProcessSpec spec) {
  auto process = Process::start(executor, spec);
  EXPECT_TRUE(process) << process.error().message;
  const auto pid_line = co_await (*process)->read_line();
  EXPECT_TRUE(pid_line && pid_line->starts_with("supervise: pid ")) << (pid_line ? *pid_line : "");
  co_return std::move(*process);
}

asio::awaitable<std::unique_ptr<Process>> start_tree(asio::any_io_executor executor, std::vector<pid_t>& pids) {
  std::unique_ptr<Process> process = co_await start(executor, shell(kTree));
  const auto ready = co_await process->read_line();
  EXPECT_EQ(ready.value_or("?"), "ready");
  pids = descendants(process->supervisor_pid());
  EXPECT_EQ(pids.size(), 4U);  // the shell and three sleeps
  co_return process;
}

TEST(ProcessTest, StopEndsTheWholeTree) {
  run_on_lane([](asio::any_io_executor executor) -> asio::awaitable<void> {
    std::vector<pid_t> pids;
    const auto process = co_await start_tree(executor, pids);
    process->stop();
    process->stop();
    EXPECT_TRUE(co_await net::with_deadline(Clock::now() + 5s, "exit", process->exited()));
    co_await wait_until_gone(pids);
  });
}

TEST(ProcessTest, WhenTheProgramDiesItsTreeDoes) {
  run_on_lane([](asio::any_io_executor executor) -> asio::awaitable<void> {
    std::vector<pid_t> pids;
    const auto process = co_await start_tree(executor, pids);
    kill(pids.front(), SIGKILL);
    EXPECT_TRUE(co_await net::with_deadline(Clock::now() + 5s, "exit", process->exited()));
    co_await wait_until_gone(pids);
  });
}

TEST(ProcessTest, KillHardNeedsNoHelpOfTheSupervisor) {
  run_on_lane([](asio::any_io_executor executor) -> asio::awaitable<void> {
    std::vector<pid_t> pids;
    const auto process = co_await start_tree(executor, pids);
    kill(process->supervisor_pid(), SIGSTOP);
    process->kill_hard();
    EXPECT_TRUE(co_await net::with_deadline(Clock::now() + 5s, "exit", process->exited()));
    co_await wait_until_gone(pids);
  });
}

TEST(ProcessTest, DestructionLeavesNothing) {
  std::vector<pid_t> pids;
  run_on_lane([&pids](asio::any_io_executor executor) -> asio::awaitable<void> {
    static_cast<void>(co_await start_tree(executor, pids));
    co_await wait_until_gone(pids);
  });
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);  // no zombie of ours
}

TEST(ProcessTest, ProcessesAreFoundByTheirEnvironment) {
  run_on_lane([](asio::any_io_executor executor) -> asio::awaitable<void> {
    std::vector<pid_t> pids;
    const auto process = co_await start_tree(executor, pids);
    // The supervisor has it too; a child shows its own environment only once it has become its program.
    asio::steady_timer timer(executor);
    for (const TimePoint end = Clock::now() + 5s;
         processes_with_environment(marker()).size() != 5U && Clock::now() < end;) {
      timer.expires_after(5ms);
      co_await net::wait(timer);
    }
    EXPECT_EQ(processes_with_environment(marker()).size(), 5U);
    EXPECT_TRUE(processes_with_environment(marker() + "x").empty());
    EXPECT_GT(tree_pss_bytes(process->supervisor_pid()), 10'000U);
    process->stop();
    static_cast<void>(co_await process->exited());
    EXPECT_TRUE(processes_with_environment(marker()).empty());
  });
}

TEST(ProcessTest, ProcessesMayEndWhileTheyAreRead) {
  // A dozen that only make children which end at once: some end between open and read.
  std::vector<pid_t> churning;
  for (int count = 0; count < 12; ++count) {
    const pid_t churn = fork();
    while (churn == 0) {
      const pid_t child = fork();
      if (child == 0) {
        _exit(0);
      }
      waitpid(child, nullptr, 0);
    }
    ASSERT_GT(churn, 0);
    churning.push_back(churn);
  }
  for (int round = 0; round < 200; ++round) {
    EXPECT_NO_THROW(static_cast<void>(descendants(getpid())));
    EXPECT_NO_THROW(static_cast<void>(processes_with_environment(marker())));
  }
  for (const pid_t churn : churning) {
    kill(churn, SIGKILL);
    waitpid(churn, nullptr, 0);
  }
}

TEST(ProcessTest, NothingIsBelowNoProcess) {
  EXPECT_TRUE(descendants(0).empty());
  EXPECT_TRUE(descendants(-1).empty());
}

TEST(ProcessTest, WhatCannotRunSaysWhy) {
  run_on_lane([](asio::any_io_executor executor) -> asio::awaitable<void> {
    ProcessSpec spec = shell("");
    spec.arguments = {"/no/such/program"};
    const auto process = co_await start(executor, spec);
    const auto line = co_await process->read_line();
    EXPECT_EQ(line.value_or("?"), "supervise: cannot run /no/such/program: No such file or directory");
    EXPECT_FALSE(co_await process->read_line());
    EXPECT_TRUE(co_await process->exited());
    spec.supervisor = "/no/such/supervisor";
    EXPECT_FALSE(Process::start(executor, spec));
  });
}

// The server here is a process of its own that is killed: nothing of its tree may outlive it, nor the profile.
TEST(ProcessTest, AServerKilledHardLeavesNoProcessAndNoFolder) {
  const fs::path folder = fs::temp_directory_path() / ("shoal_process_test_" + std::to_string(getpid()));
  fs::create_directories(folder / "deep");
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t server = fork();
  if (server == 0) {
    run_on_lane([&](asio::any_io_executor executor) -> asio::awaitable<void> {
      ProcessSpec spec = shell(kTree);
      spec.environment = {{"SHOAL_PROCESS_TEST", "killed server"}};
      spec.remove_if_orphaned = {folder.string()};
      const auto process = co_await start(executor, spec);
      co_await process->read_line();
      EXPECT_EQ(write(ready[1], "r", 1), 1);
      co_await process->exited();
    });
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  const auto left = [&] { return processes_with_environment("SHOAL_PROCESS_TEST=killed server").size(); };
  // A process that has been forked may not have its program, and with it the environment, yet.
  for (const TimePoint end = Clock::now() + 5s; left() < 5 && Clock::now() < end;) {
    usleep(2000);
  }
  EXPECT_EQ(left(), 5U);
  kill(server, SIGKILL);
  waitpid(server, nullptr, 0);
  for (const TimePoint end = Clock::now() + 5s; (left() > 0 || fs::exists(folder)) && Clock::now() < end;) {
    usleep(2000);
  }
  EXPECT_EQ(left(), 0U);
  EXPECT_FALSE(fs::exists(folder));
  close(ready[0]);
  close(ready[1]);
}

}  // namespace
}  // namespace shoal::webdriver
