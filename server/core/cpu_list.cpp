#include "server/core/cpu_list.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

namespace shoal {

namespace {

constexpr std::uint32_t kMaxCpus = CPU_SETSIZE;

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value < kMaxCpus ? std::optional(value)
                                                                                      : std::nullopt;
}

}  // namespace

Result<CpuList> parse_cpu_list(std::string_view text) {
  CpuList cpus;
  for (std::string_view rest = text;;) {
    const std::size_t end = rest.find_first_of("+,");
    const std::string_view part = rest.substr(0, end);
    const std::size_t dash = part.find('-');
    const auto first = number(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number(part.substr(dash + 1));
    if (!first || !last || *first > *last) {
      return fail(Code::kInvalidArgument,
                  fmt::format("expected CPUs as in 0-3+6, each below {}, got '{:.100}'", kMaxCpus, text));
    }
    for (std::uint32_t cpu = *first; cpu <= *last; ++cpu) {
      cpus.push_back(cpu);
    }
    if (end == std::string_view::npos || cpus.size() > kMaxCpus) {
      break;
    }
    rest.remove_prefix(end + 1);
  }
  std::ranges::sort(cpus);
  const auto repeated = std::ranges::unique(cpus);
  cpus.erase(repeated.begin(), repeated.end());
  return cpus;
}

std::string cpu_list_text(const CpuList& cpus) { return fmt::format("{}", fmt::join(cpus, "+")); }

CpuList allowed_cpus() {
  CpuList cpus;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (std::uint32_t cpu = 0; cpu < kMaxCpus; ++cpu) {
      if (CPU_ISSET(cpu, &set)) {
        cpus.push_back(cpu);
      }
    }
  }
  return cpus;
}

Status pin_to(const CpuList& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const std::uint32_t cpu : cpus) {
    CPU_SET(cpu, &set);
  }
  if (sched_setaffinity(0, sizeof(set), &set) != 0) {
    return fail(Code::kInvalidArgument,
                fmt::format("cannot keep to the CPUs {}: {}", cpu_list_text(cpus), std::strerror(errno)), "cpus");
  }
  return {};
}

CpuList part_of(const CpuList& cpus, std::size_t index, std::size_t parts) {
  const std::size_t size = parts == 0 ? 0 : cpus.size() / parts;
  const std::size_t begin = std::min(cpus.size(), index * size);
  return {cpus.begin() + static_cast<std::ptrdiff_t>(begin),
          cpus.begin() + static_cast<std::ptrdiff_t>(std::min(cpus.size(), begin + size))};
}

}  // namespace shoal
