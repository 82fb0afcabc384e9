#include "server/schedule/quarantine.hpp"

#include <algorithm>

#include "server/core/ids.hpp"

namespace shoal::schedule {
namespace {

// Every part with its length before it, so that no two requests run together into one text.
void append(std::string& text, const std::string& part) {
  text += std::to_string(part.size());
  text += ':';
  text += part;
}

}  // namespace

Fingerprint fingerprint_of(const std::string& model, std::int64_t version, const std::vector<Tensor>& inputs,
                           const std::vector<std::string>& outputs) {
  std::string text;
  append(text, model);
  append(text, std::to_string(version));
  append(text, std::to_string(inputs.size()));
  for (const Tensor& input : inputs) {
    append(text, input.name);
    append(text, std::string(datatype_name(input.datatype)));
    append(text, shape_text(input.shape));
    append(text, sha256_hex(input.data.data(), input.data.size()));
  }
  for (const std::string& output : outputs) {
    append(text, output);
  }
  return sha256_hex(text.data(), text.size());
}

bool Quarantine::lost(const Suspect& seen, TimePoint now) {
  if (limits_.max_losses == 0) {
    return false;
  }
  expire(now);
  if (!suspects_.contains(seen.fingerprint) && suspects_.size() >= limits_.capacity) {
    suspects_.erase(
        std::ranges::min_element(suspects_, {}, [](const auto& suspect) { return suspect.second.last_loss; }));
  }
  Suspect& suspect = suspects_[seen.fingerprint];
  // Two of the same in one browser are one loss.
  if (suspect.losses > 0 && suspect.last_slot == seen.last_slot && suspect.last_life == seen.last_life) {
    return suspect.losses >= limits_.max_losses;
  }
  const std::uint32_t losses = suspect.losses + 1;
  const std::uint64_t refused = suspect.refused;
  suspect = seen;
  suspect.losses = losses;
  suspect.refused = refused;
  suspect.last_loss = now;
  return losses >= limits_.max_losses;
}

void Quarantine::answered(const Fingerprint& fingerprint) { suspects_.erase(fingerprint); }

std::optional<Suspect> Quarantine::refuse(const Fingerprint& fingerprint, TimePoint now) {
  expire(now);
  const auto found = suspects_.find(fingerprint);
  if (found == suspects_.end() || found->second.losses < limits_.max_losses) {
    return std::nullopt;
  }
  ++found->second.refused;
  return found->second;
}

bool Quarantine::may_know(const std::string& model, std::int64_t version, std::uint64_t bytes) const {
  return std::ranges::any_of(suspects_, [&](const auto& entry) {
    const Suspect& suspect = entry.second;
    return suspect.bytes == bytes && suspect.version == version && suspect.model == model;
  });
}

bool Quarantine::is_on_trial(const Fingerprint& fingerprint) const {
  const auto found = suspects_.find(fingerprint);
  return found != suspects_.end() && found->second.losses + 1 >= limits_.max_losses;
}

std::size_t Quarantine::clear_all() {
  const std::size_t count = suspects_.size();
  suspects_.clear();
  return count;
}

std::vector<Suspect> Quarantine::list(TimePoint now) const {
  std::vector<Suspect> listed;
  for (const auto& [fingerprint, suspect] : suspects_) {
    if (suspect.losses >= limits_.max_losses && suspect.last_loss + limits_.expiry > now) {
      listed.push_back(suspect);
    }
  }
  std::ranges::sort(listed, std::ranges::greater{}, &Suspect::last_loss);
  return listed;
}

void Quarantine::expire(TimePoint now) {
  std::erase_if(suspects_, [&](const auto& suspect) { return suspect.second.last_loss + limits_.expiry <= now; });
}

}  // namespace shoal::schedule
