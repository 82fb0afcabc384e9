// What a model is fetched from, as people write it:
//
//   hf:owner/name[@revision][/path/to/file.gguf]     a repository of a Hugging Face hub, or one file of it
//   https://host/path/to/file.gguf                   one file
//
// http is for servers of this machine only. Pure.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "engine/core/result.hpp"

namespace shoal::fetch {

struct HubAddress {
  std::string repository;  // owner/name
  std::string revision = "main";
  std::string file{};  // empty: the files of the model
};

struct UrlAddress {
  std::string url;
  std::string file;  // the last part of its path
};

using Address = std::variant<HubAddress, UrlAddress>;

// Whether it is meant as an address; all else is a path of this machine.
bool is_address(std::string_view source);
// kInvalidArgument with `param` "source" and what was expected.
Result<Address> parse_address(std::string_view source);

// A relative name of parts that are neither empty, "." nor ".." and have letters, digits and " ._+=@,()-" only, at most
// 255 bytes each and 1024 together: what may become a file below a folder of ours, and stand in an address as it is.
bool is_safe_name(std::string_view name);

struct Url {
  std::string scheme;  // lower case
  std::string host;    // lower case, without port and brackets
  std::string port;    // the scheme's where none is named
  std::string path;

  // "https://host:443": whom a secret is for.
  [[nodiscard]] std::string origin() const;
};
// kInvalidArgument for what is no http or https URL, or has a user or a password in it.
Result<Url> parse_url(const std::string& text);
// 127.0.0.0/8, ::1, localhost.
bool is_loopback(std::string_view host);

}  // namespace shoal::fetch
