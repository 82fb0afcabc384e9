#include "server/api/http/content_coding.hpp"

#include <fmt/format.h>

#define ZLIB_CONST  // its input is const
#include <zlib.h>

#include <algorithm>
#include <array>
#include <boost/beast/core/string.hpp>
#include <charconv>
#include <new>

#include "server/core/split.hpp"

namespace shoal::api::http {

namespace beast = boost::beast;

namespace {

constexpr int kWindowBits = 15;
constexpr int kGzipWrapper = 16;  // added to the window's bits
constexpr int kMemoryLevel = 8;   // zlib's default: 256 KiB for a compressor

int window_bits(Coding coding) { return coding == Coding::kGzip ? kWindowBits + kGzipWrapper : kWindowBits; }

// From 0 to 1; 0 also for what is no weight.
double weight_of(std::string_view parameters) {
  for (std::string_view parameter : split(parameters, ';')) {
    parameter = trimmed(parameter);
    if (parameter.size() < 2 || !beast::iequals(parameter.substr(0, 2), "q=")) {
      continue;
    }
    double weight = 0;
    const auto end = std::from_chars(parameter.data() + 2, parameter.data() + parameter.size(), weight);
    const bool is_weight = end.ec == std::errc{} && end.ptr == parameter.data() + parameter.size();
    return is_weight && weight >= 0 && weight <= 1 ? weight : 0;
  }
  return 1;
}

const Bytef* bytes_of(std::string_view text) { return reinterpret_cast<const Bytef*>(text.data()); }

}  // namespace

std::string_view coding_name(Coding coding) {
  return coding == Coding::kGzip ? "gzip" : coding == Coding::kDeflate ? "deflate" : "identity";
}

std::optional<Coding> coding_of(std::string_view content_encoding) {
  const std::string_view name = trimmed(content_encoding);
  if (name.empty() || beast::iequals(name, "identity")) {
    return Coding::kIdentity;
  }
  if (beast::iequals(name, "gzip") || beast::iequals(name, "x-gzip")) {
    return Coding::kGzip;
  }
  return beast::iequals(name, "deflate") ? std::optional(Coding::kDeflate) : std::nullopt;
}

Coding preferred_coding(std::string_view accept_encoding) {
  std::optional<double> any;
  std::array<std::optional<double>, 3> weights;
  for (const std::string_view element : split(accept_encoding, ',')) {
    const std::size_t end = std::min(element.find(';'), element.size());
    const std::string_view name = trimmed(element.substr(0, end));
    const double weight = end < element.size() ? weight_of(element.substr(end + 1)) : 1;
    if (name == "*") {
      any = weight;
    } else if (const auto coding = coding_of(name); coding && !name.empty()) {
      weights[static_cast<std::size_t>(*coding)] = weight;
    }
  }
  Coding best = Coding::kIdentity;
  double best_weight = 0;
  for (const Coding coding : {Coding::kGzip, Coding::kDeflate}) {
    const double weight = weights[static_cast<std::size_t>(coding)].value_or(any.value_or(0));
    if (weight > best_weight) {
      best = coding;
      best_weight = weight;
    }
  }
  // A client that does not say how it likes plain bodies has asked for compressed ones.
  return weights[static_cast<std::size_t>(Coding::kIdentity)].value_or(0) > best_weight ? Coding::kIdentity : best;
}

struct Inflater::Stream {
  z_stream state{};
};

Inflater::Inflater(Coding coding, std::string_view body) : stream_(std::make_unique<Stream>()), coding_(coding) {
  stream_->state.next_in = bytes_of(body);
  stream_->state.avail_in = static_cast<uInt>(body.size());
  if (inflateInit2(&stream_->state, window_bits(coding)) != Z_OK) {
    throw std::bad_alloc();
  }
}

Inflater::~Inflater() { inflateEnd(&stream_->state); }

Result<bool> Inflater::append(std::string& out, std::size_t count) {
  z_stream& state = stream_->state;
  const std::size_t before = out.size();
  int status = Z_OK;
  out.resize_and_overwrite(before + count, [&](char* data, std::size_t) {
    state.next_out = reinterpret_cast<Bytef*>(data + before);
    state.avail_out = static_cast<uInt>(count);
    status = inflate(&state, Z_NO_FLUSH);
    return before + count - state.avail_out;
  });
  const auto refuse = [&](std::string_view what) {
    return fail(Code::kInvalidArgument, fmt::format("the body is not {}: {}", coding_name(coding_), what),
                "Content-Encoding");
  };
  if (status == Z_STREAM_END) {
    return state.avail_in > 0 ? Result<bool>(refuse(fmt::format("{} bytes follow its end", state.avail_in)))
                              : Result<bool>(true);
  }
  if (status == Z_MEM_ERROR) {
    throw std::bad_alloc();
  }
  if (status != Z_OK && status != Z_BUF_ERROR) {
    return refuse(state.msg != nullptr ? state.msg : "its data is damaged");
  }
  // Room is left, so it is the input that has run out.
  return state.avail_out > 0 ? Result<bool>(refuse("it is cut off")) : Result<bool>(false);
}

std::optional<std::string> compressed(Coding coding, std::string_view body) {
  z_stream state{};
  // The fastest level: every answer is compressed once and sent once.
  if (deflateInit2(&state, Z_BEST_SPEED, Z_DEFLATED, window_bits(coding), kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
  state.next_in = bytes_of(body);
  state.avail_in = static_cast<uInt>(body.size());
  int status = Z_OK;
  std::string out;
  try {
    out.resize_and_overwrite(body.size(), [&](char* data, std::size_t size) {
      state.next_out = reinterpret_cast<Bytef*>(data);
      state.avail_out = static_cast<uInt>(size);
      status = deflate(&state, Z_FINISH);
      return size - state.avail_out;
    });
  } catch (...) {
    deflateEnd(&state);
    throw;
  }
  deflateEnd(&state);
  return status == Z_STREAM_END && out.size() < body.size() ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace shoal::api::http
