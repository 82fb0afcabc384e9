#include "engine/package/description.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "engine/package/field_reader.hpp"

namespace shoal::package {
namespace {

using Json = nlohmann::json;
using archs::ModelClass;

struct ClassRow {
  std::string_view name;
  ModelClass model_class;
};
constexpr std::array<ClassRow, 3> kClasses = {{{"encoder", ModelClass::kEncoder},
                                               {"decoder", ModelClass::kDecoder},
                                               {"encoder-decoder", ModelClass::kEncoderDecoder}}};

constexpr std::uint64_t kMostCounted = std::uint64_t{1} << 28;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 46;
constexpr std::int64_t kMostId = 0x7FFFFFFF;

std::uint32_t count(const Field& field, std::uint64_t least, std::uint64_t most = kMostCounted) {
  return static_cast<std::uint32_t>(field.number(least, most));
}

FileEntry read_file_entry(const Field& field) {
  return {.file = field["file"].file_name(),
          .sha256 = field["sha256"].sha256(),
          .bytes = field["bytes"].number(0, kMostBytes)};
}

TensorReport read_report(const Field& field) {
  return {.name = field["name"].text(),
          .format = field["format"].text(),
          .bytes = field["bytes"].number(0, kMostBytes),
          .relative_error = field["relative_error"].real(0),
          .largest_error = field["largest_error"].real(0)};
}

Variant read_variant(const Field& field) {
  Variant out;
  out.name = field["name"].text();
  out.bits = count(field["bits"], 2, 32);
  out.is_mixed = field["mixed"].flag(false);
  out.plan = read_file_entry(field["plan"]);
  out.weight_bytes = field["weight_bytes"].number(1, kMostBytes);
  out.method = field["method"].text("");
  field["keep"].each(kMaxListed, [&](const Field& rule) { out.keep.push_back(rule.text()); });
  out.relative_error = field["relative_error"].real(0);
  field["tensors"].each(kMaxListed, [&](const Field& one) { out.tensors.push_back(read_report(one)); });
  return out;
}

Embedding read_embedding(const Field& field) {
  return {.output = field["output"].text(),
          .width = count(field["width"], 1),
          .pooling = field["pooling"].text(""),
          .is_normalized = field["normalize"].flag(false)};
}

ModelClass read_class(const Field& field) {
  const std::string name = field.text();
  for (const ClassRow& row : kClasses) {
    if (row.name == name) {
      return row.model_class;
    }
  }
  field.refuse("'encoder', 'decoder' or 'encoder-decoder'");
  return ModelClass::kEncoder;
}

Description read(const Field& root) {
  Description out;
  if (root["format"].number(0, kMostCounted) != kFormat) {
    root["format"].refuse(std::to_string(kFormat));
  }
  out.name = root["name"].text();
  out.model_class = read_class(root["class"]);
  out.architecture = root["architecture"].text();
  out.vocabulary = count(root["vocabulary"], 1);
  out.context = count(root["context"], 0);
  root["eos"].each(kMaxListed, [&](const Field& id) {
    out.eos.push_back(static_cast<std::int32_t>(id.number(0, static_cast<std::uint64_t>(kMostId))));
  });
  if (root["decoder_start"].is_there()) {
    out.decoder_start = static_cast<std::int32_t>(root["decoder_start"].number(0, static_cast<std::uint64_t>(kMostId)));
  }
  if (root["embedding"].is_there()) {
    out.embedding = read_embedding(root["embedding"]);
  }
  root["variants"].each(kMaxVariants, [&](const Field& one) { out.variants.push_back(read_variant(one)); });
  std::set<std::string_view> names;
  for (const Variant& variant : out.variants) {
    if (!names.insert(variant.name).second) {
      root["variants"].refuse("names of their own, '" + variant.name + "' is there twice");
    }
  }
  if (out.variants.empty()) {
    root["variants"].refuse("at least one");
  }
  out.default_variant = root["default_variant"].text();
  if (!names.contains(out.default_variant)) {
    root["default_variant"].refuse("the name of a variant");
  }
  out.source.kind = root["source"]["kind"].text("");
  out.source.name = root["source"]["name"].text("");
  root["source"]["files"].each(kMaxListed, [&](const Field& one) { out.source.files.push_back(read_file_entry(one)); });
  out.licence = root["licence"].text("");
  return out;
}

Json json_of(const FileEntry& entry) {
  return {{"file", entry.file}, {"sha256", entry.sha256}, {"bytes", entry.bytes}};
}

Json json_of(const Variant& variant) {
  Json tensors = Json::array();
  for (const TensorReport& one : variant.tensors) {
    tensors.push_back({{"name", one.name},
                       {"format", one.format},
                       {"bytes", one.bytes},
                       {"relative_error", one.relative_error},
                       {"largest_error", one.largest_error}});
  }
  return {{"name", variant.name},
          {"bits", variant.bits},
          {"mixed", variant.is_mixed},
          {"plan", json_of(variant.plan)},
          {"weight_bytes", variant.weight_bytes},
          {"method", variant.method},
          {"keep", variant.keep},
          {"relative_error", variant.relative_error},
          {"tensors", std::move(tensors)}};
}

}  // namespace

const Variant* Description::find(std::string_view variant) const {
  const std::string_view wanted = variant.empty() ? std::string_view(default_variant) : variant;
  for (const Variant& one : variants) {
    if (one.name == wanted) {
      return &one;
    }
  }
  return nullptr;
}

std::string_view class_name(ModelClass model_class) { return kClasses[static_cast<std::size_t>(model_class)].name; }

Result<Description> parse_description(std::string_view json) {
  if (json.size() > kMaxDescriptionBytes) {
    return fail(Code::kInvalidArgument, std::string(kDescriptionFile) + ": it has more than " +
                                            std::to_string(kMaxDescriptionBytes) + " bytes");
  }
  const Json root = parse_bounded(json);
  if (!root.is_object()) {
    return fail(Code::kInvalidArgument, std::string(kDescriptionFile) + ": it is no JSON object");
  }
  FieldErrors errors;
  Description out = read(Field(root, errors));
  if (errors.first) {
    return fail(std::move(*errors.first).with(kDescriptionFile));
  }
  return out;
}

std::string write_description(const Description& description) {
  Json variants = Json::array();
  for (const Variant& variant : description.variants) {
    variants.push_back(json_of(variant));
  }
  Json files = Json::array();
  for (const FileEntry& file : description.source.files) {
    files.push_back(json_of(file));
  }
  Json out = {
      {"format", kFormat},
      {"name", description.name},
      {"class", class_name(description.model_class)},
      {"architecture", description.architecture},
      {"vocabulary", description.vocabulary},
      {"context", description.context},
      {"eos", description.eos},
      {"variants", std::move(variants)},
      {"default_variant", description.default_variant},
      {"source", {{"kind", description.source.kind}, {"name", description.source.name}, {"files", std::move(files)}}},
      {"licence", description.licence}};
  if (description.decoder_start >= 0) {
    out["decoder_start"] = description.decoder_start;
  }
  if (description.embedding) {
    out["embedding"] = {{"output", description.embedding->output},
                        {"width", description.embedding->width},
                        {"pooling", description.embedding->pooling},
                        {"normalize", description.embedding->is_normalized}};
  }
  return out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace shoal::package
