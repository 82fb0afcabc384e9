#include "server/models/onnx_signature.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <onnx/onnx_pb.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <system_error>

#include "server/models/onnx_types.hpp"

namespace shoal::models {
namespace {

using google::protobuf::io::CodedInputStream;

// The two halves of a tag.
constexpr std::uint32_t field_of(std::uint32_t tag) { return tag >> 3; }
constexpr std::uint32_t wire_type_of(std::uint32_t tag) { return tag & 7U; }
constexpr std::uint32_t kVarint = 0;
constexpr std::uint32_t kFixed64 = 1;
constexpr std::uint32_t kLengthDelimited = 2;
constexpr std::uint32_t kFixed32 = 5;

// Walks the stream field by field and goes into only those messages that lead to names, shapes and file references.
// Every method returns false after noting the reason.
class Walker {
 public:
  explicit Walker(CodedInputStream& in) : in_(in) {}

  bool model() {
    return fields([this](std::uint32_t field) {
      switch (field) {
        case onnx::ModelProto::kIrVersionFieldNumber:
          return number(signature_.ir_version);
        case onnx::ModelProto::kOpsetImportFieldNumber:
          return message([this] { return opset(); });
        case onnx::ModelProto::kGraphFieldNumber:
          has_graph_ = true;
          return message([this] { return graph(0, true); });
        case onnx::ModelProto::kFunctionsFieldNumber:
          return message([this] { return function(); });
        default:
          return skip();
      }
    });
  }

  Result<GraphSignature> finish() {
    if (!has_graph_) {
      return refusal("there is no graph in it");
    }
    // Before IR version 4 every initialiser was listed as an input too; a request need not give those.
    std::erase_if(signature_.inputs,
                  [this](const TensorSignature& input) { return initialisers_.contains(input.name); });
    if (signature_.outputs.empty()) {
      return refusal("the graph has no outputs");
    }
    return std::move(signature_);
  }

  [[nodiscard]] std::unexpected<Error> refusal(std::string_view otherwise) const {
    return fail(Code::kInvalidArgument,
                fmt::format("not a usable ONNX model: {}", reason_.empty() ? otherwise : std::string_view(reason_)));
  }

 private:
  template <class Visit>
  bool fields(Visit visit) {
    while (in_.BytesUntilLimit() > 0) {
      tag_ = in_.ReadTag();
      if (field_of(tag_) == 0) {
        return refuse("damaged or cut protobuf data");
      }
      if (!visit(field_of(tag_))) {
        return false;
      }
    }
    return true;
  }

  // Length of the length-delimited field whose tag was read, checked against what is left of the message around it.
  bool length(std::uint32_t& size) {
    if (wire_type_of(tag_) != kLengthDelimited || !in_.ReadVarint32(&size) ||
        std::int64_t{size} > std::int64_t{in_.BytesUntilLimit()}) {
      return refuse("damaged or cut protobuf data");
    }
    return true;
  }

  template <class Visit>
  bool message(Visit visit) {
    std::uint32_t size = 0;
    if (!length(size)) {
      return false;
    }
    const CodedInputStream::Limit outer = in_.PushLimit(static_cast<int>(size));
    const bool is_fine = visit();
    in_.PopLimit(outer);
    return is_fine;
  }

  bool skip() {
    std::uint32_t size = 0;
    std::uint64_t ignored = 0;
    switch (wire_type_of(tag_)) {
      case kVarint:
        return in_.ReadVarint64(&ignored) || refuse("damaged or cut protobuf data");
      case kFixed64:
        size = 8;
        break;
      case kFixed32:
        size = 4;
        break;
      default:
        if (!length(size)) {
          return false;
        }
    }
    return in_.Skip(static_cast<int>(size)) || refuse("damaged or cut protobuf data");
  }

  bool number(std::int64_t& out) {
    std::uint64_t value = 0;
    if (wire_type_of(tag_) != kVarint || !in_.ReadVarint64(&value)) {
      return refuse("damaged or cut protobuf data");
    }
    out = static_cast<std::int64_t>(value);
    return true;
  }

  bool text(std::string& out) {
    std::uint32_t size = 0;
    return length(size) && ((size <= kMaxSmallMessage && in_.ReadString(&out, static_cast<int>(size))) ||
                            refuse("a name or description in it is too long"));
  }

  bool opset() {
    std::string domain;
    std::int64_t version = 0;
    const bool is_fine = fields([&](std::uint32_t field) {
      switch (field) {
        case onnx::OperatorSetIdProto::kDomainFieldNumber:
          return text(domain);
        case onnx::OperatorSetIdProto::kVersionFieldNumber:
          return number(version);
        default:
          return skip();
      }
    });
    if (domain.empty() || domain == "ai.onnx") {
      signature_.opset = version;
    }
    return is_fine;
  }

  bool graph(int depth, bool is_main) {
    if (depth > kMaxGraphDepth) {
      return refuse("its sub-graphs are nested too deep");
    }
    return fields([&](std::uint32_t field) {
      switch (field) {
        case onnx::GraphProto::kNodeFieldNumber:
          return message([&] { return node(depth); });
        case onnx::GraphProto::kInitializerFieldNumber:
          return message([&] { return tensor(is_main); });
        case onnx::GraphProto::kSparseInitializerFieldNumber:
          return message([&] { return sparse_tensor(is_main); });
        case onnx::GraphProto::kInputFieldNumber:
          return is_main ? value(signature_.inputs, "input") : skip();
        case onnx::GraphProto::kOutputFieldNumber:
          return is_main ? value(signature_.outputs, "output") : skip();
        default:
          return skip();
      }
    });
  }

  bool function() {
    return fields([this](std::uint32_t field) {
      return field == onnx::FunctionProto::kNodeFieldNumber ? message([this] { return node(0); }) : skip();
    });
  }

  bool node(int depth) {
    return fields([&](std::uint32_t field) {
      return field == onnx::NodeProto::kAttributeFieldNumber ? message([&] { return attribute(depth); }) : skip();
    });
  }

  bool attribute(int depth) {
    return fields([&](std::uint32_t field) {
      switch (field) {
        case onnx::AttributeProto::kTFieldNumber:
        case onnx::AttributeProto::kTensorsFieldNumber:
          return message([&] { return tensor(false); });
        case onnx::AttributeProto::kSparseTensorFieldNumber:
        case onnx::AttributeProto::kSparseTensorsFieldNumber:
          return message([&] { return sparse_tensor(false); });
        case onnx::AttributeProto::kGFieldNumber:
        case onnx::AttributeProto::kGraphsFieldNumber:
          return message([&] { return graph(depth + 1, false); });
        default:
          return skip();
      }
    });
  }

  bool sparse_tensor(bool is_main) {
    return fields([&](std::uint32_t field) {
      switch (field) {
        case onnx::SparseTensorProto::kValuesFieldNumber:
          return message([&] { return tensor(is_main); });
        case onnx::SparseTensorProto::kIndicesFieldNumber:
          return message([&] { return tensor(false); });
        default:
          return skip();
      }
    });
  }

  bool tensor(bool is_main_initialiser) {
    std::string name;
    std::string location;
    std::int64_t where = onnx::TensorProto::DEFAULT;
    const bool is_fine = fields([&](std::uint32_t field) {
      switch (field) {
        case onnx::TensorProto::kNameFieldNumber:
          return text(name);
        case onnx::TensorProto::kDataLocationFieldNumber:
          return number(where);
        case onnx::TensorProto::kExternalDataFieldNumber:
          return message([&] { return external(location); });
        default:
          return skip();
      }
    });
    if (is_main_initialiser) {
      initialisers_.insert(name);
    }
    if (is_fine && where == onnx::TensorProto::EXTERNAL) {
      if (location.empty()) {
        return refuse(fmt::format("tensor '{}' is said to be external and names no file", name));
      }
      signature_.external.insert(location);
    }
    return is_fine;
  }

  bool external(std::string& location) {
    std::string key;
    std::string entry;
    const bool is_fine = fields([&](std::uint32_t field) {
      switch (field) {
        case onnx::StringStringEntryProto::kKeyFieldNumber:
          return text(key);
        case onnx::StringStringEntryProto::kValueFieldNumber:
          return text(entry);
        default:
          return skip();
      }
    });
    if (key == "location") {
      location = entry;
    }
    return is_fine;
  }

  bool value(std::vector<TensorSignature>& out, std::string_view role) {
    std::string bytes;
    onnx::ValueInfoProto info;
    if (!text(bytes)) {
      return false;
    }
    if (!info.ParseFromString(bytes)) {
      return refuse("damaged or cut protobuf data");
    }
    auto signature = tensor_signature(info, role);
    if (!signature) {
      return refuse(std::move(signature.error().message));
    }
    out.push_back(std::move(*signature));
    return out.size() <= kMaxSignatureTensors || refuse("it has too many inputs or outputs");
  }

  bool refuse(std::string reason) {
    if (reason_.empty()) {
      reason_ = std::move(reason);
    }
    return false;
  }

  CodedInputStream& in_;
  std::uint32_t tag_ = 0;
  bool has_graph_ = false;
  std::string reason_;
  std::set<std::string> initialisers_;
  GraphSignature signature_;
};

}  // namespace

Result<GraphSignature> read_onnx_signature(google::protobuf::io::ZeroCopyInputStream& stream, std::uint64_t size) {
  if (size > std::uint64_t{std::numeric_limits<int>::max()}) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("an ONNX graph file cannot exceed 2 GiB and this has {} bytes: keep the weights as external "
                    "data",
                    size));
  }
  CodedInputStream in(&stream);
  in.SetTotalBytesLimit(std::numeric_limits<int>::max());
  const auto whole = in.PushLimit(static_cast<int>(size));
  Walker walker(in);
  if (!walker.model()) {
    return walker.refusal("damaged protobuf data");
  }
  in.PopLimit(whole);
  return walker.finish();
}

Result<GraphSignature> read_onnx_signature(Bytes model) {
  const std::size_t shown = std::min(model.size(), std::size_t{std::numeric_limits<int>::max()});
  google::protobuf::io::ArrayInputStream stream(model.data(), static_cast<int>(shown));
  return read_onnx_signature(stream, model.size());
}

Result<GraphSignature> read_onnx_signature(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return fail(errno == ENOENT ? Code::kNotFound : Code::kInternal,
                fmt::format("cannot open {}: {}", file.string(), std::generic_category().message(errno)));
  }
  google::protobuf::io::FileInputStream stream(descriptor);
  stream.SetCloseOnDelete(true);
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(Code::kInvalidArgument, fmt::format("{} is not a regular file", file.string()));
  }
  return read_onnx_signature(stream, static_cast<std::uint64_t>(status.st_size));
}

}  // namespace shoal::models
