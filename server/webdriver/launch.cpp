#include "server/webdriver/launch.hpp"

#include <filesystem>
#include <utility>

namespace shoal::webdriver {

BrowserSpec local_browser(const BrowserKind& kind, const Programs& programs, const MachineFacts& machine,
                          const LaunchChoice& choice) {
  LocalDriverSpec driver{.supervisor = programs.supervisor,
                         .command = {programs.driver},
                         .port_words = std::string(kind.port_words),
                         .environment = driver_environment(kind, choice),
                         .driver_reaps = kind.driver_reaps,
                         .display_server = choice.headed ? std::string() : std::string(kind.display_server),
                         .profile = choice.profile,
                         .temporary = choice.temporary,
                         .log_folder = std::filesystem::path(choice.log_path).parent_path(),
                         .cpus = choice.cpus};
  for (std::string& argument : driver_arguments(kind, choice)) {
    driver.command.push_back(std::move(argument));
  }
  return {.name = programs.browser,
          .capabilities = session_capabilities(kind, machine, choice, programs.browser),
          .driver = std::move(driver)};
}

BrowserSpec remote_browser(RemoteEndSpec remote, const BrowserKind* like, const LaunchChoice& choice,
                           const nlohmann::json& wanted) {
  static const BrowserKind kAny;
  // What this machine is like says nothing of the other one.
  nlohmann::json capabilities = session_capabilities(like == nullptr ? kAny : *like, MachineFacts{}, choice, {});
  capabilities.merge_patch(wanted);
  return {.name = "a browser of " + url_of(remote.endpoint),
          .capabilities = std::move(capabilities),
          .driver = std::move(remote)};
}

}  // namespace shoal::webdriver
